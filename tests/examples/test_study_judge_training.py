"""The study of trainings trains each part once per seed, from the judge that it names."""

import sys
from collections.abc import Sequence
from pathlib import Path

import judge_training as study
import pytest


@pytest.mark.parametrize(
    ("parts", "trained"),
    [
        (["styles"], ["depth < base", "raw < base"]),
        (
            ["styles", "reinforced"],
            ["depth < base", "depth-reinforced < depth", "raw < base", "raw-reinforced < raw"],
        ),
        (
            ["taught"],
            ["taught < base", *(f"taught-reinforced{end} < taught" for end in ("", "-shuffled", "-neutral"))],
        ),
        (["base"], [f"base-reinforced{end} < base" for end in ("", "-shuffled", "-neutral")]),
    ],
)
def test_the_parts_of_the_study(
    parts: list[str],
    trained: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found: list[str] = []

    def train(output: Path, data: Path, base: Path, seed: int, arguments: Sequence[object]) -> Path:
        assert ("--shuffle-labels" in arguments) == ("shuffled" in output.name)
        assert ("neutral" in data.name) == ("neutral" in output.name)
        assert output.name.endswith(f"-{seed}")
        found.append(f"{output.name} < {base.name}")
        return output

    monkeypatch.setattr(study, "train", train)
    for style in ("depth", "raw", "mixed"):
        (tmp_path / f"train_{style}.jsonl").write_text("{}\n" * 4000, "utf-8")
    output, base = tmp_path / "runs", tmp_path / "base"
    options = ["--output", output, "--base", base, "--styles", "depth", "raw", "--seeds", "2", "--parts", *parts]
    monkeypatch.setattr(sys, "argv", ["judge_training.py", str(tmp_path), *map(str, options)])
    study.main()
    expected = [
        " < ".join(name if name == "base" else f"{name}-{seed}" for name in line.split(" < "))
        for seed in range(2)
        for line in trained
    ]
    assert found == expected
    rows = {file.stem: len(file.read_text("utf-8").splitlines()) for file in output.glob("*.jsonl")}
    assert set(rows.items()) <= {("depth", 3000), ("raw", 4000), ("taught", study.TAUGHT_ROWS)}
    [command] = [line for line in capsys.readouterr().out.splitlines() if "judge_styles.py" in line]
    assert all(f"{name.split(' < ')[0]}=" in command for name in trained)
