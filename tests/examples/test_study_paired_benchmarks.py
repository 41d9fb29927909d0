"""The comparison of benchmarks is paired by question, and takes the mean over the runs of an arm."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import paired_benchmarks as study
import pytest

from egrm_graph.benchmark.bench_folder import MethodResult
from egrm_graph.errors import InputError
from egrm_graph.terminal.tables import standard_output


def results(file: Path, methods: Mapping[str, str], tokens: int = 10) -> Path:
    """A file of results. A method is right on a question where its text has a 1."""
    rows = [
        MethodResult(method, f"q{i}", each == "1", tokens, 0, False, "ok", None, 5, 0, 0, 0)
        for method, marks in methods.items()
        for i, each in enumerate(marks)
    ]
    file.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows), "utf-8")
    return file


def test_points_are_paired_by_question_and_over_the_first_arm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = results(tmp_path / "a.jsonl", {"always@4": "0101"}, tokens=40)
    # The method's name has a colon, and the questions are in another order.
    second = results(tmp_path / "b.jsonl", {"egrm:consensus=1.0": "1101"})
    second.write_text("".join(reversed(second.read_text("utf-8").splitlines(keepends=True))), "utf-8")
    arms = [study.read_arm(f"always={first}:always@4"), study.read_arm(f"gate={second}:egrm:consensus=1.0")]
    assert arms[0].ids == arms[1].ids
    standard_output().print(study.table(arms))
    _, always, gate = capsys.readouterr().out.strip().splitlines()
    assert "50.0 %" in always
    assert "75.0 %" in gate
    # One of four questions is won and none lost, so no resample has a difference below 0.
    assert "+25.0 [+0.0, +75.0]" in gate
    assert "25.0 % [25.0, 25.0]" in gate


def test_a_method_may_have_commas_in_brackets(tmp_path: Path) -> None:
    method = "egrm[paths=4,first_paths=3]"
    file = results(tmp_path / "a.jsonl", {method: "10"})
    assert study.read_arm(f"gate={file}:{method},{file}:{method}").right.tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_the_runs_of_an_arm_are_averaged(tmp_path: Path) -> None:
    files = [results(tmp_path / f"{i}.jsonl", {"egrm": marks}) for i, marks in enumerate(("1100", "0110"))]
    arm = study.read_arm(f"gate={files[0]}:egrm,{files[1]}:egrm")
    assert arm.right.mean(axis=0).tolist() == [0.5, 1.0, 0.5, 0.0]


@pytest.mark.parametrize(
    ("arms", "problem"),
    [
        ("gate={a}", "names no method"),
        ("gate={a}:never", "no result of the method 'never'"),
        ("gate={a}:egrm,{b}:egrm", "other questions"),
    ],
)
def test_an_arm_that_cannot_be_compared_names_why(tmp_path: Path, arms: str, problem: str) -> None:
    a, b = results(tmp_path / "a.jsonl", {"egrm": "11"}), results(tmp_path / "b.jsonl", {"egrm": "111"})
    with pytest.raises(InputError, match=problem):
        study.read_arm(arms.format(a=a, b=b))


def test_a_wrong_file_ends_the_command_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["paired_benchmarks.py", f"gate={tmp_path / 'none.jsonl'}:egrm"])
    with pytest.raises(SystemExit, match=r"none\.jsonl"):
        study.main()
    assert capsys.readouterr().out == ""
