"""Draws paths for a question and marks each of them right or wrong by its answer: what a scorer is trained on."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any, TypedDict

from egrm_graph.clients.client import Completion
from egrm_graph.drawing.calls import Limits, Lost, draw
from egrm_graph.drawing.samples import lost_reasons
from egrm_graph.errors import InputError
from egrm_graph.parts import Parts
from egrm_graph.reasons import ReasonCode, texts
from egrm_graph.strategies.strategy import Known
from egrm_graph.tasks.task import Task
from egrm_graph.verification import Asked, View


class PathRow(TypedDict):
    """See `rollouts.RolloutPath`."""

    text: str
    answer: str | None
    correct: bool
    n_tokens: int | None
    logprob: float | None
    min_logprob: float | None


class RolloutRow(TypedDict):
    """One line of a file of rollouts, but for its id: see `rollouts.Rollout`."""

    question: str
    reference: str
    level: int | None
    paths: list[PathRow]
    lost: int
    reasons: list[str]
    """Why paths were lost."""


async def roll_out(parts: Parts, given: Mapping[str, Any], level: int | None = None) -> RolloutRow:
    """As many paths as the settings say, of a question in the form that the graph takes, with its reference.

    A path that could not be drawn is counted as lost; it is not a wrong one. A question's paths are the same for a
    seed, whatever else is asked.

    Raises:
        InputError: there is no question or no reference.
    """
    task = parts.task
    asked = Asked(**task.ask(given, parts.settings), run_id=uuid.uuid4().hex, started_at=time.time())
    if asked["judged"] is not None:
        raise InputError(f"the task {task.name} judges candidates; rollouts are drawn for questions (--task answer)")
    reference = asked["reference"]
    if reference is None:
        raise InputError("the line has no 'reference'; without the right answer no path can be marked")
    if asked["history"]:
        raise InputError("the line has messages before the question, which a scorer does not read; give the question")
    logprobs = 1 if parts.client.gives_logprobs else 0
    [view] = views = task.views(asked, parts.settings, parts.settings.paths)
    known = Known(asked, views, task, parts.prompts, parts.settings)
    sampling = known.sampling("expand_cot", logprobs=logprobs)
    calls = [call for call, _ in known.calls("expand_cot", known.path_views(), sampling=sampling)]
    drawing = await draw(parts.client, calls, Limits())
    outcomes = [outcome for (outcome,) in drawing.outcomes]
    drawn = [outcome for outcome in outcomes if isinstance(outcome, Completion)]
    return RolloutRow(
        question=asked["question"],
        reference=reference,
        level=level,
        paths=[_marked(completion, reference, task, view) for completion in drawn],
        lost=sum(isinstance(outcome, Lost) for outcome in outcomes),
        reasons=texts(lost_reasons(ReasonCode.PATHS_LOST, outcomes)),
    )


def _marked(completion: Completion, reference: str, task: Task, view: View) -> PathRow:
    answer = task.read(completion.text, view, fast=False, complete=completion.finish_reason == "stop")
    logprobs = completion.logprobs or ()
    return PathRow(
        text=completion.text,
        answer=answer,
        correct=answer is not None and task.same(answer, reference),
        n_tokens=completion.n_tokens,
        logprob=round(sum(logprobs), 4) if logprobs else None,
        min_logprob=round(min(logprobs), 4) if logprobs else None,
    )
