"""`egrm train ablation` as a user runs it."""

import json
from pathlib import Path

from typer.testing import CliRunner

from egrm_graph.cli import app


def test_every_objective_is_trained_and_compared(base: Path, rollouts: Path, tmp_path: Path) -> None:
    output = tmp_path / "scorers"
    command = ["train", "ablation", str(rollouts), "--base", str(base), "--output", str(output), "--epochs", "1"]
    command += ["--held-out-share", "0.3", "--evaluations", "1", "--test", str(rollouts), "--size", "2"]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    (report,) = json.loads((output / "objectives.json").read_text())
    trained = {"hybrid", "regression", "hinge", "bradley_terry"}
    assert set(report["errors"]) == {file.parent.name for file in output.glob("*/egrm.json")} == trained
    assert {row["scorer"] for row in report["rows"]} == trained | {None}
    weights = (output / "hinge" / "model.safetensors").stat().st_mtime_ns
    again = CliRunner().invoke(app, command)  # a complete scorer is not trained again
    assert (again.exit_code, again.stdout) == (0, run.stdout)
    assert (output / "hinge" / "model.safetensors").stat().st_mtime_ns == weights


def test_a_missing_test_file_is_an_error_before_anything_is_trained(base: Path, rollouts: Path, tmp_path: Path) -> None:
    output = tmp_path / "scorers"
    command = ["train", "ablation", str(rollouts), "--base", str(base), "--output", str(output), "--test", "nowhere"]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 2
    assert "--test nowhere: no such file" in " ".join(run.output.split())
    assert not output.exists()


def test_a_test_file_with_too_few_paths_is_an_error_before_anything_is_trained(
    base: Path, rollouts: Path, tmp_path: Path
) -> None:
    output = tmp_path / "scorers"
    command = [
        "train",
        "ablation",
        str(rollouts),
        "--base",
        str(base),
        "--output",
        str(output),
        "--test",
        str(rollouts),
    ]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 2
    assert f"{rollouts}: no question has 16 paths, and the most is 4" in run.output.replace("\n", "")
    assert not output.exists()
