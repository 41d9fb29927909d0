"""Scores a question's paths. A path that cannot be scored has a reason instead of a score."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeVar

from egrm_graph.errors import EgrmError, RunError
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.scoring.scorer import NO_SCORER, Scorer, StepScorer, Unscored
from egrm_graph.scoring.step_grading import StepGrading
from egrm_graph.scoring.written_text import written
from egrm_graph.verification import Path, PathStep

_Score = TypeVar("_Score")


class _Grade(NamedTuple):
    """The score of a path; and, if steps are scored, that of each of them, and what these add up to."""

    score: float
    steps: list[PathStep] | None = None
    aggregate: float | None = None


async def grade(
    scorer: Scorer | None,
    texts: Sequence[tuple[str, str]],
    paths: Sequence[Path],
    timeout_s: float,
    *,
    first: int = 0,
    steps: StepGrading | None = None,
) -> tuple[list[Path], list[Reason]]:
    """The paths with their scores, and the reasons for missing ones. Never raises an `EgrmError`.

    `texts` has the question and the text that the scorer gets for each path. `first` is the index of the first path
    among all of the run. With `steps`, which need a `StepScorer`, each path gets the scores of its steps, and its own
    score is their aggregate. A path with a step that has no score has none.
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
    grades: list[_Grade | Unscored]
    try:
        grades = await asyncio.wait_for(
            _grades(scorer, [texts[i] for i in answered], [paths[i] for i in answered], steps), timeout_s
        )
    except (EgrmError, TimeoutError) as error:
        cause = str(error) or f"no score within {max(timeout_s, 0):.3g} s"
        reasons.append(ReasonCode.SCORER_FAILED.reason(cause=cause))
        grades = [Unscored(cause)] * len(answered)
    for i, found in zip(answered, grades, strict=True):
        if isinstance(found, Unscored):
            graded[i] = _unscored(paths[i], found.reason)
        else:
            score, steps_scored, aggregate = found
            graded[i] = {
                **paths[i],
                "score": score,
                "unscored": None,
                "steps": steps_scored,
                "aggregate": aggregate,
            }
    if not reasons:
        reasons = [
            ReasonCode.PATH_UNSCORED.reason(index=first + i, cause=found.reason)
            for i, found in zip(answered, grades, strict=True)
            if isinstance(found, Unscored)
        ]
    return graded, reasons


async def _grades(
    scorer: Scorer, texts: Sequence[tuple[str, str]], paths: Sequence[Path], steps: StepGrading | None
) -> list[_Grade | Unscored]:
    if steps is not None:
        return await _grades_by_steps(scorer, texts, paths, steps)

    async def score(question: str, places: Sequence[int]) -> list[float | Unscored]:
        return await scorer.score(question, [texts[i][1] for i in places])

    return [_path_grade(score) for score in await _by_question(scorer.name, texts, score)]


async def _grades_by_steps(
    scorer: Scorer, texts: Sequence[tuple[str, str]], paths: Sequence[Path], steps: StepGrading
) -> list[_Grade | Unscored]:
    assert isinstance(scorer, StepScorer)  # `step_grading` has checked it
    ends = [steps.ends(path) for path in paths]
    flaws = [_unshown(written(path), text) for path, (_, text) in zip(paths, texts, strict=True)]
    in_text = [i for i, flaw in enumerate(flaws) if flaw is None]

    async def score(question: str, places: Sequence[int]) -> list[list[float] | Unscored]:
        some = [in_text[i] for i in places]
        return await scorer.score_steps(question, [texts[i][1] for i in some], [ends[i] for i in some])

    scored = await _by_question(scorer.name, [texts[i] for i in in_text], score)
    found = dict(zip(in_text, scored, strict=True))
    return [flaw or _step_grade(found[i], ends[i], steps) for i, flaw in enumerate(flaws)]


async def _by_question(
    name: str,
    texts: Sequence[tuple[str, str]],
    score: Callable[[str, Sequence[int]], Awaitable[list[_Score]]],
) -> list[_Score]:
    """What one call per question gives for each text. Candidates in another order are another question. `score` gets
    the indices of the question's texts."""
    of_question: dict[str, list[int]] = {}
    for i, (question, _) in enumerate(texts):
        of_question.setdefault(question, []).append(i)
    scored = await asyncio.gather(*(score(question, places) for question, places in of_question.items()))
    found: dict[int, _Score] = {}
    for scores, places in zip(scored, of_question.values(), strict=True):
        if len(scores) != len(places):
            raise RunError(f"{name} gave {len(scores)} scores for {len(places)} paths")
        found.update(zip(places, scores, strict=True))
    return [found[i] for i in range(len(texts))]


def _unshown(written_text: str, text: str) -> Unscored | None:
    """Why the steps of what the model wrote cannot be found in the text that the scorer gets; None if they can."""
    if written_text == text:
        return None
    return Unscored("the task gives the scorer another text than the model wrote, so its steps cannot be found in it")


def _path_grade(score: float | Unscored) -> _Grade | Unscored:
    checked = _checked(score)
    return checked if isinstance(checked, Unscored) else _Grade(checked)


def _step_grade(scores: list[float] | Unscored, ends: Sequence[int], grading: StepGrading) -> _Grade | Unscored:
    if isinstance(scores, Unscored):
        return scores
    if len(scores) != len(ends):
        return Unscored(f"the scorer gave {len(scores)} scores for {len(ends)} steps")
    for score in scores:
        if isinstance(flaw := _checked(score), Unscored):
            return flaw
    steps = [PathStep(end=end, score=score) for end, score in zip(ends, scores, strict=True)]
    return _Grade(grading.path_score(scores), steps, grading.aggregate(scores))


def _checked(score: float | Unscored) -> float | Unscored:
    """The score if it is in [0, 1]; any other number is not a score."""
    if isinstance(score, Unscored) or (math.isfinite(score) and 0 <= score <= 1):
        return score
    return Unscored(f"the scorer gave {score}, which is not in [0, 1]")


def _unscored(path: Path, reason: str) -> Path:
    return {**path, "score": None, "unscored": reason, "steps": None, "aggregate": None}
