"""Draws paths for a question, and marks each right or wrong by its answer. A scorer is trained on them.

Steps are labeled, too, if the paths form a tree, or if they are to be cut into fixed steps.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NotRequired

from typing_extensions import TypedDict

from egrm_graph.drawing.calls import Limits
from egrm_graph.errors import InputError
from egrm_graph.parts import Parts
from egrm_graph.reasons import texts
from egrm_graph.settings import PATHS
from egrm_graph.strategies.draw_paths import draw_paths
from egrm_graph.strategies.strategy import Known, grows_tree
from egrm_graph.training.step_completions import FixedSteps, LabeledPaths, draw_labeled
from egrm_graph.training.step_labels import StepRow, tree_steps
from egrm_graph.verification import Asked, Path


class PathRow(TypedDict):
    """A path in a file of rollouts. See `rollout_file.RolloutPath`."""

    text: str
    answer: str | None
    correct: bool
    n_tokens: int | None
    logprob: float | None
    min_logprob: float | None
    steps: NotRequired[list[StepRow]]
    """Only if steps are labeled."""


class RolloutRow(TypedDict):
    """A line of a file of rollouts, without its id. See `rollout_file.Rollout`."""

    question: str
    reference: str
    level: int | None
    paths: list[PathRow]
    lost: int
    reasons: list[str]
    """Why paths were lost."""
    requests: NotRequired[int]
    completion_tokens: NotRequired[int]


async def roll_out(
    parts: Parts, inputs: Mapping[str, Any], level: int | None = None, steps: FixedSteps | None = None
) -> RolloutRow:
    """Draw paths for a question with a reference, by the strategy of the settings. `inputs` is the input of the graph,
    and the settings have the number of paths.

    The fragments of a tree are labeled. With `steps`, those are labeled that it says. A path that could not be drawn
    counts as lost, not as wrong. With the same seed, a question has the same paths, whatever else is asked.

    Raises:
        InputError: the question or the reference is missing.
    """
    asked = _asked(parts, inputs)
    reference = asked["reference"]
    assert reference is not None

    def is_right(path: Path) -> bool:
        return path["answer"] is not None and parts.task.same(path["answer"], reference)

    views = parts.task.views(asked, parts.settings, parts.settings.paths or PATHS)
    logprobs = 1 if parts.client.gives_logprobs else 0
    known = Known(asked, views, parts.task, parts.prompts, parts.settings, logprobs=logprobs)
    drawn = await (
        _drawn(parts, known, is_right) if steps is None else draw_labeled(parts.client, known, steps, is_right)
    )
    # A path that has the text of another one is neither drawn again nor lost.
    found = [(i, path) for i, path in enumerate(drawn.paths) if path["error"] is None]
    return RolloutRow(
        question=asked["question"],
        reference=reference,
        level=level,
        paths=[_marked(path, is_right(path), None if drawn.steps is None else drawn.steps[i]) for i, path in found],
        lost=sum(path["text"] is None for path in drawn.paths),
        reasons=drawn.reasons,
        requests=drawn.usage["requests"],
        completion_tokens=drawn.usage["completion_tokens"],
    )


def _asked(parts: Parts, inputs: Mapping[str, Any]) -> Asked:
    """What is asked.

    Raises:
        InputError: a scorer cannot be trained on it.
    """
    asked = Asked(**parts.task.ask(inputs, parts.settings), run_id=uuid.uuid4().hex, started_at=time.time())
    if asked["judged"] is not None:
        raise InputError(
            f"the task {parts.task.name} judges candidates, but rollouts need a task for questions, such as "
            "--task answer"
        )
    if asked["reference"] is None:
        raise InputError("the line has no 'reference', which is needed to mark the paths; add the correct answer")
    if asked["history"]:
        raise InputError(
            "the line has messages before the question, which a scorer cannot read; give only the question"
        )
    return asked


async def _drawn(parts: Parts, known: Known, is_right: Callable[[Path], bool]) -> LabeledPaths:
    """The paths of the strategy in one wave. Those of a tree have labels."""
    strategy = parts.strategy(parts.settings)
    drawn = await draw_paths(parts.client, strategy, known, Limits())
    paths = [path for path, _ in drawn.paths]
    tree = grows_tree(strategy)
    steps = tree_steps(paths, [is_right(path) for path in paths]) if tree else None
    return LabeledPaths(paths, steps, drawn.usage, texts(drawn.reasons))


def _marked(path: Path, right: bool, steps: list[StepRow] | None) -> PathRow:
    logprobs, branch = path["logprobs"], path.get("branch")
    row = PathRow(
        text=path["text"] or "",
        answer=path["answer"],
        correct=right,
        n_tokens=path["n_tokens"] if branch is None else len(branch["token_ids"]),
        logprob=round(sum(logprobs), 4) if logprobs else None,
        min_logprob=round(min(logprobs), 4) if logprobs else None,
    )
    return row if steps is None else {**row, "steps": steps}
