"""The output of `egrm verify` as a log."""

import json
from pathlib import Path
from typing import Any

import pytest

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import InputError
from egrm_graph.replay.answer_log import LoggedAnswer, LoggedQuestion
from egrm_graph.replay.answer_table import table_of
from egrm_graph.replay.saved_runs import read_labelled, read_runs
from egrm_graph.replay.stopped_reasoning import can_stop

QUESTIONS = '{"id": "a", "question": "3+4", "reference": "7"}\n'


def same(one: str, other: str) -> bool:
    return float(one) == float(other)


def run(**changes: Any) -> dict[str, Any]:
    samples = [{"answer": answer, "n_tokens": 2} for answer in ("7.0", "7", None, "8")]
    paths = [{"answer": "7", "n_tokens": 9, "score": 0.9}]
    row = {"id": "a", "route": "reasoned", "answer": "7", "confidence": 0.9, "best_path": 0}
    row["uncertainty"] = {"samples": 4, "planned": 4}
    return {**row, "samples": samples, "paths": paths, **changes}


def read(folder: Path, row: dict[str, Any], questions: str = QUESTIONS) -> list[LoggedQuestion]:
    (folder / "run.jsonl").write_text(json.dumps(row) + "\n")
    (folder / "questions.jsonl").write_text(questions)
    return read_runs(folder / "run.jsonl", folder / "questions.jsonl", same)


def test_equivalent_answers_are_unified_and_the_runs_answer_is_kept(tmp_path: Path) -> None:
    seven = LoggedAnswer(answer="7.0", correct=True, n_tokens=2)
    lost, eight = (
        LoggedAnswer(answer=None, correct=False, n_tokens=2),
        LoggedAnswer(answer="8", correct=False, n_tokens=2),
    )
    assert read(tmp_path, run()) == [
        LoggedQuestion(
            id="a",
            fast=(seven, seven, lost, eight),
            paths=(LoggedAnswer(answer="7.0", correct=True, n_tokens=9, score=0.9),),
            reasoned=LoggedAnswer(answer="7", correct=True),
            confidence=0.9,
            scored=True,
        )
    ]


def test_uncalibrated_scores_are_left_out(tmp_path: Path) -> None:
    for calibrated, score in ((None, 0.9), (True, 0.9), (False, None)):
        [saved] = read(tmp_path, run(calibrated=calibrated))
        assert [path.score for path in saved.paths] == [score]


def test_a_withheld_answer_is_the_outcome_of_reasoning(tmp_path: Path) -> None:
    withheld = run(status="abstained", answer=None, best_guess="7", confidence=0.1)
    [saved] = read(tmp_path, withheld)
    assert (saved.reasoned, saved.confidence, saved.scored) == (LoggedAnswer(answer="7", correct=True), 0.1, True)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (run(error="the line is not JSON"), "was not answered: the line is not JSON"),
        (
            run(route="direct", paths=[]),
            "has no paths; draw all of them for every question with a gate that never opens",
        ),
        (run(samples=[]), "has no fast answers"),
        (
            run(uncertainty={"samples": 4, "planned": 16}),
            "has 4 of 16 fast answers, because drawing stopped early; .* all",
        ),
        (run(id="b"), "no reference for the id 'b'"),
        ({"id": "a", "answer": "7"}, "is not a verification: route"),
    ],
)
def test_an_incomplete_run_is_an_error_with_the_fix(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, row)


def test_judging_runs_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="runs of the task 'pairwise' have no references"):
        read_labelled(tmp_path / "run.jsonl", tmp_path / "questions.jsonl", "pairwise")


async def test_a_run_with_a_gate_that_never_opens_is_a_log(tmp_path: Path) -> None:
    client = ScriptedClient(fast=["7"] * 5, paths=["3+4=7;#7"] * 4)
    graph = build_graph(Settings(task="arithmetic", threshold=2.0, stopping="all"), client=client, scorer=None)
    row = (await graph.ainvoke({"question": "3+4"}))["verification"]
    (saved,) = read(tmp_path, {"id": "a", **row})
    assert [draw.correct for draw in (*saved.fast, *saved.paths)] == [True] * 9
    assert saved.reasoned == LoggedAnswer(answer="7", correct=True)


def leaves(scores: tuple[float, ...] = (0.9, 0.2, 0.3, 0.1)) -> list[dict[str, Any]]:
    branch = {"parent": None, "at": 0, "anchors": [], "shared_ends": [], "token_ids": [1, 2]}
    return [{"answer": "7", "n_tokens": 9, "score": score, "branch": branch} for score in scores]


def test_leaves_of_a_tree_are_neither_votes_nor_a_sequence_to_stop_in(tmp_path: Path) -> None:
    tree = read(tmp_path, run(paths=leaves(), confidence=None, best_path=None))
    plain = read(tmp_path, run(confidence=None, best_path=None))
    assert [question.dependent for question in (*tree, *plain)] == [True, False]
    assert not can_stop(tree)
    assert can_stop(plain)
    with pytest.raises(
        InputError, match=r"are the leaves of a tree or .*--strategy plain, or calibrate the gate alone"
    ):
        table_of(tree, [0.95])
    # The outcome of reasoning is that of the run. A share of the leaves is not used as a confidence.
    assert table_of(tree).reasoning.right.tolist() == [True]
    assert table_of(tree).reasoning.confidence.tolist() == [0.0]
    assert table_of(plain).reasoning.confidence.tolist() == [1.0]


async def test_chains_of_one_completion_are_not_votes_either(tmp_path: Path) -> None:
    chains = "[Answer 1] \\boxed{7}\n[Answer 2] \\boxed{7}"
    client = ScriptedClient(fast=["7"] * 5, paths=[chains])
    settings = Settings(task="answer", strategy="divergent", paths=2, threshold=2.0, stopping="all")
    row = (await build_graph(settings, client=client, scorer=None).ainvoke({"question": "3+4"}))["verification"]
    [saved] = read(tmp_path, {"id": "a", **row})
    assert [path.correct for path in saved.paths] == [True, True]
    assert saved.dependent


def test_a_log_of_leaves_without_the_outcome_of_the_run_is_refused(tmp_path: Path) -> None:
    row = {"fast": [{"answer": "7", "correct": True}], "paths": [{**leaf, "correct": True} for leaf in leaves()]}
    (tmp_path / "log.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=r"line 1: its paths are the leaves of a tree, which are not votes"):
        read_labelled(tmp_path / "log.jsonl", None, "arithmetic")
