"""The cost and gain of withholding answers, on runs computed by hand."""

import json
from pathlib import Path
from typing import Any

import pytest
from withholding import main, read, rows, table

from egrm_graph.errors import InputError

RUNS: list[dict[str, Any]] = [
    {"id": "a", "answer": "1", "confidence": 0.9, "calibrated": True},  # right
    {"id": "b", "answer": None, "best_guess": "2", "confidence": 0.2, "calibrated": True},  # right, and withheld
    {"id": "c", "answer": "0", "confidence": 0.1, "calibrated": True},  # wrong
    {"id": "d", "answer": "0", "confidence": 0.2, "calibrated": None},  # wrong, and never withheld
    {"id": "e", "answer": None, "confidence": None, "calibrated": None},  # no answer at all
]
QUESTIONS = [{"id": run["id"], "question": "?", "reference": str(i)} for i, run in enumerate(RUNS, start=1)]


def written(file: Path, lines: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_each_value_is_counted_independently_of_the_value_of_the_runs(tmp_path: Path) -> None:
    runs = read(written(tmp_path / "run.jsonl", RUNS), written(tmp_path / "questions.jsonl", QUESTIONS), "arithmetic")
    shares = (
        [row.abstained.value, *(share and share.value for share in (row.right, row.wrong_withheld, row.right_withheld))]
        for row in rows(runs, (0.0, 0.15, 0.3, 1.0))
    )
    assert list(shares) == [
        [1 / 5, 2 / 4, 0.0, 0.0],
        [2 / 5, 2 / 3, 1 / 2, 0.0],
        [3 / 5, 1 / 2, 1 / 2, 1 / 2],
        [4 / 5, 0.0, 1 / 2, 1.0],
    ]


def test_a_share_of_nothing_is_none(tmp_path: Path) -> None:
    runs = read(written(tmp_path / "run.jsonl", RUNS[:1]), written(tmp_path / "q.jsonl", QUESTIONS), "arithmetic")
    assert table(rows(runs, (0.95,))).splitlines()[-1] == (
        "| 0.95 | 100.0 % [20.7, 100.0] | none | none | 100.0 % [20.7, 100.0] |"
    )


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"id": "z", "answer": "1"}, "has no reference for the id 'z'"),
        ({"id": "a", "error": "the line is not JSON"}, "is not a verification: answer=.*Field required"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, run: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"run.jsonl, line 1.*{message}"):
        read(written(tmp_path / "run.jsonl", [run]), written(tmp_path / "q.jsonl", QUESTIONS), "arithmetic")


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    files = [written(tmp_path / "run.jsonl", RUNS), written(tmp_path / "q.jsonl", QUESTIONS)]
    more = ["--task", "arithmetic", "--values", "0.3"]
    monkeypatch.setattr("sys.argv", ["withholding", str(files[0]), "--questions", str(files[1]), *more])
    main()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "5 runs: 2 right, 3 wrong"
    assert printed[-1].startswith("| 0.3 (default) | 60.0 %")
