"""Draws paths for a question, and marks each right or wrong by its answer. A scorer is trained on them."""

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
from egrm_graph.settings import PATHS
from egrm_graph.strategies.strategy import Known
from egrm_graph.tasks.task import Task
from egrm_graph.verification import Asked, View


class PathRow(TypedDict):
    """A path in a file of rollouts. See `rollout_file.RolloutPath`."""

    text: str
    answer: str | None
    correct: bool
    n_tokens: int | None
    logprob: float | None
    min_logprob: float | None


class RolloutRow(TypedDict):
    """A line of a file of rollouts, without its id. See `rollout_file.Rollout`."""

    question: str
    reference: str
    level: int | None
    paths: list[PathRow]
    lost: int
    reasons: list[str]
    """Why paths were lost."""


async def roll_out(parts: Parts, inputs: Mapping[str, Any], level: int | None = None) -> RolloutRow:
    """Draw paths for a question with a reference. `inputs` is the input of the graph, and the settings have the number.

    A path that could not be drawn counts as lost, not as wrong. With the same seed, a question has the same paths,
    whatever else is asked.

    Raises:
        InputError: the question or the reference is missing.
    """
    task = parts.task
    asked = Asked(**task.ask(inputs, parts.settings), run_id=uuid.uuid4().hex, started_at=time.time())
    if asked["judged"] is not None:
        raise InputError(
            f"the task {task.name} judges candidates, but rollouts need a task for questions, such as --task answer"
        )
    reference = asked["reference"]
    if reference is None:
        raise InputError("the line has no 'reference', which is needed to mark the paths; add the correct answer")
    if asked["history"]:
        raise InputError(
            "the line has messages before the question, which a scorer cannot read; give only the question"
        )
    logprobs = 1 if parts.client.gives_logprobs else 0
    [view] = views = task.views(asked, parts.settings, parts.settings.paths or PATHS)
    known = Known(asked, views, task, parts.prompts, parts.settings)
    sampling = known.sampling("expand_cot", logprobs=logprobs)
    calls = [call for call, _ in known.calls("expand_cot", known.path_views(), sampling=sampling)]
    drawing = await draw(parts.client, calls, Limits())
    outcomes = [outcome for (outcome,) in drawing.outcomes]
    completions = [outcome for outcome in outcomes if isinstance(outcome, Completion)]
    return RolloutRow(
        question=asked["question"],
        reference=reference,
        level=level,
        paths=[_marked(completion, reference, task, view) for completion in completions],
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
