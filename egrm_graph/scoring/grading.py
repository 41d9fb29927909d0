"""Scores a question's paths. A path that cannot be scored has a reason instead of a score."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from egrm_graph.errors import EgrmError, RunError
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.scoring.scorer import NO_SCORER, Scorer, Unscored
from egrm_graph.verification import Path


async def grade(
    scorer: Scorer | None, texts: Sequence[tuple[str, str]], paths: Sequence[Path], timeout_s: float, first: int = 0
) -> tuple[list[Path], list[Reason]]:
    """The paths with their scores, and the reasons for missing ones. Never raises an `EgrmError`.

    `texts` has the question and the text that the scorer gets for each path. `first` is the index of the first path
    among all of the run.
    """
    answered = [i for i, path in enumerate(paths) if path["answer"] is not None]
    graded = [_unscored(path, path["error"] or "no answer could be read") for path in paths]
    if scorer is None:
        for i in answered:
            graded[i] = _unscored(paths[i], NO_SCORER)
        return graded, []
    if not answered:
        return graded, []
    reasons: list[Reason] = []
    try:
        scores = await asyncio.wait_for(_scores(scorer, [texts[i] for i in answered]), timeout_s)
        scores = [_checked(score) for score in scores]
    except (EgrmError, TimeoutError) as error:
        cause = str(error) or f"no score within {max(timeout_s, 0):.3g} s"
        reasons.append(ReasonCode.SCORER_FAILED.reason(cause=cause))
        scores = [Unscored(cause)] * len(answered)
    for i, score in zip(answered, scores, strict=True):
        if isinstance(score, Unscored):
            graded[i] = _unscored(paths[i], score.reason)
        else:
            graded[i] = {**paths[i], "score": score, "unscored": None}
    if not reasons:
        reasons = [
            ReasonCode.PATH_UNSCORED.reason(index=first + i, cause=score.reason)
            for i, score in zip(answered, scores, strict=True)
            if isinstance(score, Unscored)
        ]
    return graded, reasons


def written(path: Path) -> str:
    """Everything that the model wrote, its thinking first."""
    return "\n\n".join(part for part in (path["thinking"], path["text"]) if part)


async def _scores(scorer: Scorer, texts: Sequence[tuple[str, str]]) -> list[float | Unscored]:
    """The scores from one call per question. Candidates in another order are another question."""
    questions = list(dict.fromkeys(question for question, _ in texts))
    asked = [[text for other, text in texts if other == question] for question in questions]
    scored = await asyncio.gather(
        *(scorer.score(question, some) for question, some in zip(questions, asked, strict=True))
    )
    for scores, sent in zip(scored, asked, strict=True):
        if len(scores) != len(sent):
            raise RunError(f"{scorer.name} gave {len(scores)} scores for {len(sent)} paths")
    left = {question: iter(scores) for question, scores in zip(questions, scored, strict=True)}
    return [next(left[question]) for question, _ in texts]


def _checked(score: float | Unscored) -> float | Unscored:
    """The score if it is in [0, 1]; any other number is not a score."""
    if isinstance(score, Unscored) or (math.isfinite(score) and 0 <= score <= 1):
        return score
    return Unscored(f"the scorer gave {score}, which is not in [0, 1]")


def _unscored(path: Path, reason: str) -> Path:
    return {**path, "score": None, "unscored": reason}
