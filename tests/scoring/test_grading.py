"""A path without a score has a reason."""

import asyncio
import math
from collections.abc import Sequence

import pytest

from egrm_graph.errors import ServerError
from egrm_graph.reasons import texts
from egrm_graph.scoring.grading import grade
from egrm_graph.scoring.scorer import NO_SCORER, Scorer, Unscored
from egrm_graph.verification import Path


class FixedScorer:
    """Returns fixed scores."""

    name = "fixed"
    calibrated = False

    def __init__(self, *scores: float | Unscored) -> None:
        self.scores = list(scores)
        self.asked: list[tuple[str, list[str]]] = []

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        self.asked.append((question, list(paths)))
        return self.scores[: len(paths)]

    async def aclose(self) -> None: ...


class Broken(FixedScorer):
    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        raise ServerError("gone")


class Slow(FixedScorer):
    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        await asyncio.sleep(60)
        return []


def path(answer: str | None = "A", error: str | None = None) -> Path:
    return Path(
        text="so A",
        thinking=None,
        answer=answer,
        n_tokens=4,
        finish_reason="stop",
        seed=0,
        request_id="r.expand_cot.0",
        order=[],
        logprobs=None,
        top_logprobs=None,
        error=error,
        score=None,
        unscored=None,
    )


async def graded(scorer: Scorer | None, *paths: Path, timeout_s: float = 5) -> tuple[list[object], list[str]]:
    """The score of each path or the reason it has none, and the reasons of the run."""
    found, reasons = await grade(scorer, [("q", f"text {i}") for i in range(len(paths))], paths, timeout_s)
    return [scored["unscored"] if scored["score"] is None else scored["score"] for scored in found], texts(reasons)


async def test_only_paths_with_an_answer_are_scored() -> None:
    scorer = FixedScorer(0.25, 0.75)
    found = await graded(scorer, path(), path(None), path(None, "the server went away"), path("B"))
    assert found == ([0.25, "no answer could be read", "the server went away", 0.75], [])
    assert scorer.asked == [("q", ["text 0", "text 3"])]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -0.5, 1.5])
async def test_a_number_that_is_not_a_score_is_unscored(wrong: float) -> None:
    reason = f"the scorer gave {wrong}, which is not in [0, 1]"
    assert await graded(FixedScorer(0.5, wrong), path(), path()) == ([0.5, reason], [f"path 1 unscored: {reason}"])


async def test_0_and_1_are_scores() -> None:
    assert await graded(FixedScorer(0.0, 1.0), path(), path()) == ([0.0, 1.0], [])


async def test_a_scorer_that_returns_too_few_scores_has_failed() -> None:
    reason = "fixed gave 1 scores for 2 paths"
    assert await graded(FixedScorer(0.5), path(), path()) == ([reason, reason], [f"the scorer failed: {reason}"])


async def test_paths_of_a_failed_or_slow_scorer_have_no_score() -> None:
    assert await graded(Broken(), path()) == (["gone"], ["the scorer failed: gone"])
    assert await graded(Slow(), path(), timeout_s=0.01) == (
        ["no score within 0.01 s"],
        ["the scorer failed: no score within 0.01 s"],
    )


async def test_without_a_scorer_nothing_is_scored_or_failed() -> None:
    assert await graded(None, path(), path(None)) == ([NO_SCORER, "no answer could be read"], [])


async def test_paths_with_the_same_question_are_scored_together() -> None:
    scorer = FixedScorer(0.25, 0.5)
    texts = [("in one order", "a"), ("in the other", "b"), ("in one order", "c")]
    found, _ = await grade(scorer, texts, [path()] * 3, 5)
    assert [scored["score"] for scored in found] == [0.25, 0.25, 0.5]
    assert scorer.asked == [("in one order", ["a", "c"]), ("in the other", ["b"])]
