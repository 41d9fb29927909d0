"""The study of judges measures verdicts, structures, and sub-verdicts."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import judge_styles as study
import numpy as np
import pytest
from judge_styles import Judge
from make_judgments import pair_rows, pairs, write

from egrm_graph.clients.client import Completion
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.settings import RunSettings
from egrm_graph.tasks import Judging, task_named

PAIR: dict[str, Any] = {
    "question": "?",
    "candidates": ["30471", "8812"],
    "reference": "B",
    "sub_verdicts": {
        "shorter": "B",
        "larger digit sum": "B",
        "more even digits": "B",
        "more distinct digits": "A",
        "more rises": "A",
    },
}


@pytest.mark.parametrize(
    ("text", "finish", "fast", "expected"),
    [
        ("e04=2,882=3B;r47=2,2=1B;B", "stop", False, [1, 1, 9, 0, 0, 1, 2, 0, 0]),
        (">e04=2,882=3;e2,3A;A", "stop", False, [0, 0, 9, 1, 0, 0, 1, 0, 0]),
        ("30471,8812,B", "length", False, [0, 0.5, 9, 0, 0, 0, 0, 0, 0]),
        ("B", "stop", True, [1, 1, 9, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_a_judgment_is_measured(text: str, finish: Any, expected: list[float], *, fast: bool) -> None:
    task = task_named("pairwise", bundled="digits")
    assert isinstance(task, Judging)
    subject = task.ask({"question": "?", "candidates": PAIR["candidates"]}, RunSettings())
    [view] = [view for view in task.views(subject, RunSettings(), 2) if view["order"] == ["A", "B"]]
    completion = Completion(text, finish, 9)
    assert study.measure(task, PAIR, view, completion, fast=fast) == expected


def test_a_derived_sum_is_right_if_it_is_the_right_answer() -> None:
    task = task_named("pairwise", bundled="digits")
    assert isinstance(task, Judging)
    candidates = ["30471#79", "8812#78"]
    pair = {"candidates": candidates, "reference": "A", "sub_verdicts": {**PAIR["sub_verdicts"], "right answer": "A"}}
    subject = task.ask({"question": "47+38-6", "candidates": candidates}, RunSettings())
    [view] = [view for view in task.views(subject, RunSettings(), 2) if view["order"] == ["A", "B"]]
    for text, expected in ((">85-6=79;#79A;A", [1, 1, 1, 1]), (">85-6=78;#78B;B", [0, 1, 0, 1])):
        assert study.measure(task, pair, view, Completion(text, "stop", 9), fast=False)[-4:] == expected


def test_the_figures_of_a_judge_are_means_over_seeds_and_pairs() -> None:
    def judge(name: str, right: list[list[float]]) -> Judge:
        columns = np.array(right)
        zeros = np.zeros_like(columns)
        per_pair = [columns, columns, columns + 10, zeros, columns, 3 * columns, zeros + 4, zeros, zeros]
        measures = np.stack(per_pair, axis=1)
        return Judge(name, dict.fromkeys(study.DOMAINS, measures))

    first, second = judge("first", [[1, 1, 0, 0]] * 2), judge("second", [[1, 1, 1, 0], [1, 1, 0, 1]])
    row = study.figures(second, "preference", first)
    assert row["strict"].startswith("75.0 %")
    assert row["by_seed"] == [0.75, 0.75]
    assert row["difference"].startswith("+25.0")
    assert (row["tokens"], row["fits"][:6], row["depth"]) == (10.8, "75.0 %", 0.0)
    assert row["units_right"].startswith("56.2 %")
    assert row["sums_right"] == ""


def test_pairs_from_a_file_are_judged_in_both_orders(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    write(file, pair_rows("test", pairs(8, "test")))
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    client = ScriptedClient(lambda prompt, seed, request_id: "r1=1,1=1A;A")
    options = argparse.Namespace(temperature=1.0, max_tokens=160, seed=0)
    found = asyncio.run(study.judged(client, rows, "expand_cot", options))
    assert found.shape == (len(study.MEASURES), 16)
    texts = [call.prompt[0]["content"] for call in client.calls]
    in_order = [text.startswith(row["candidates"][0]) for text, row in zip(texts, rows, strict=True)]
    assert 0 < sum(in_order) < 16


@pytest.mark.parametrize("text", ["base", "=folder", "base="])
def test_a_judge_needs_a_name_and_a_folder(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not NAME=FOLDER"):
        study.named(text)
