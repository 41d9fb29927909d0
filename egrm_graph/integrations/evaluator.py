"""Evaluators in the form that LangSmith and openevals call.

    evaluate(target, data=..., evaluators=[as_evaluator(graph)])

For one output they give `key`, `score` (the reward, in [0, 1]), `comment` (the verdict in a line), and `metadata`. For
the outputs of several runs on one example they give `key`, `scores` (the rewards by the runs' ids), and `comment`.
What cannot be judged has the score None, and the comment says why: a failure is never a score. Values that are neither
texts nor messages are judged in full, as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from egrm_graph.integrations.calling import (
    Graph,
    async_outcome_of,
    built,
    candidate_names,
    outcome_of,
    readable,
    rewards_of,
    with_unread,
)
from egrm_graph.integrations.evaluator_inputs import asked_before, asked_in, candidate_in, reference_in
from egrm_graph.settings import Settings
from egrm_graph.verification import Verification


class Run(Protocol):
    """What is needed of a LangSmith run."""

    @property
    def id(self) -> UUID: ...


class Evaluator(Protocol):
    def __call__(
        self, inputs: Any = None, outputs: Any = None, reference_outputs: Any = None, **others: Any
    ) -> dict[str, Any]: ...


class AsyncEvaluator(Protocol):
    async def __call__(
        self, inputs: Any = None, outputs: Any = None, reference_outputs: Any = None, **others: Any
    ) -> dict[str, Any]: ...


class ComparativeEvaluator(Protocol):
    def __call__(
        self, runs: Sequence[Run], inputs: Any, outputs: Sequence[Any], reference_outputs: Any = None
    ) -> dict[str, Any]: ...


class AsyncComparativeEvaluator(Protocol):
    async def __call__(
        self, runs: Sequence[Run], inputs: Any, outputs: Sequence[Any], reference_outputs: Any = None
    ) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Fields:
    """The keys of question, answer, and reference; each may be left out where there is only one."""

    question: str | None = None
    answer: str | None = None
    reference: str | None = None

    def graded(self, inputs: Any, output: Any, reference: Any, rubric: str | None) -> Any:
        """The graph's input for one output. Without inputs, the output is a conversation, and what comes before its
        answer is the question.

        Raises:
            InputError: several keys could be meant, or a value cannot be written out.
        """
        alone = inputs is None and self.question is None
        asked = asked_before(output) if alone else asked_in(inputs, self.question)
        return self._given(asked, [candidate_in(output, self.answer)], reference, rubric)

    def compared(self, inputs: Any, candidates: Sequence[Any], reference: Any, rubric: str | None) -> Any:
        """The graph's input for several candidates.

        Raises:
            InputError: several keys could be meant, or a value cannot be written out.
        """
        return self._given(asked_in(inputs, self.question), candidates, reference, rubric)

    def _given(self, asked: dict[str, Any], candidates: Sequence[Any], reference: Any, rubric: str | None) -> Any:
        return {
            **asked,
            "candidates": candidates,
            "reference": reference_in(reference, self.reference),
            "rubric": rubric,
        }


def as_evaluator(
    graph: Graph | Settings, *, key: str = "egrm", rubric: str | None = None, fields: Fields | None = None
) -> Evaluator:
    """Grades one output with a graph of the task `pointwise`. Without `inputs`, the output is a conversation, and the
    assistant's last message in it is graded.

    Raises:
        SetupError: the settings do not fit together, or a model cannot be loaded.
    """
    called, where = built(graph), fields or Fields()

    # openevals hands on further arguments, such as a context.
    def evaluate(
        inputs: Any = None,
        outputs: Any = None,
        reference_outputs: Any = None,
        **others: Any,  # noqa: ARG001
    ) -> dict[str, Any]:
        given = partial(where.graded, inputs, outputs, reference_outputs, rubric)
        return _evaluation(key, outcome_of(called, given))

    evaluate.__name__ = key
    return evaluate


def as_async_evaluator(
    graph: Graph | Settings, *, key: str = "egrm", rubric: str | None = None, fields: Fields | None = None
) -> AsyncEvaluator:
    """The same as a coroutine function, for `aevaluate`."""
    called, where = built(graph), fields or Fields()

    async def evaluate(
        inputs: Any = None,
        outputs: Any = None,
        reference_outputs: Any = None,
        **others: Any,  # noqa: ARG001
    ) -> dict[str, Any]:
        given = partial(where.graded, inputs, outputs, reference_outputs, rubric)
        return _evaluation(key, await async_outcome_of(called, given))

    evaluate.__name__ = key
    return evaluate


def as_comparative_evaluator(
    graph: Graph | Settings, *, key: str = "egrm", rubric: str | None = None, fields: Fields | None = None
) -> ComparativeEvaluator:
    """Compares the outputs of several runs on one example, with a graph of the task `pairwise` or `best_of_n`.

    Raises:
        SetupError: the settings do not fit together, or a model cannot be loaded.
    """
    called, where = built(graph), fields or Fields()

    def compare(
        runs: Sequence[Run], inputs: Any, outputs: Sequence[Any], reference_outputs: Any = None
    ) -> dict[str, Any]:
        candidates, unread = readable(outputs, partial(candidate_in, key=where.answer))
        given = partial(where.compared, inputs, candidates, reference_outputs, rubric)
        return _comparison(key, runs, outcome_of(called, given), unread)

    compare.__name__ = key
    return compare


def as_async_comparative_evaluator(
    graph: Graph | Settings, *, key: str = "egrm", rubric: str | None = None, fields: Fields | None = None
) -> AsyncComparativeEvaluator:
    """The same as a coroutine function."""
    called, where = built(graph), fields or Fields()

    async def compare(
        runs: Sequence[Run], inputs: Any, outputs: Sequence[Any], reference_outputs: Any = None
    ) -> dict[str, Any]:
        candidates, unread = readable(outputs, partial(candidate_in, key=where.answer))
        given = partial(where.compared, inputs, candidates, reference_outputs, rubric)
        return _comparison(key, runs, await async_outcome_of(called, given), unread)

    compare.__name__ = key
    return compare


def _evaluation(key: str, outcome: Verification | Exception) -> dict[str, Any]:
    if isinstance(outcome, Exception):
        return {"key": key, "score": None, "comment": str(outcome), "metadata": {}}
    [(score, why)] = rewards_of(outcome)
    metadata = {name: outcome[name] for name in ("run_id", "status", "route", "answer", "confidence", "usage")}
    return {"key": key, "score": score, "comment": why or _verdict("grade", outcome), "metadata": metadata}


def _comparison(
    key: str, runs: Sequence[Run], outcome: Verification | Exception, unread: Mapping[int, str]
) -> dict[str, Any]:
    if isinstance(outcome, Exception):
        return {"key": key, "scores": {run.id: None for run in runs}, "comment": str(outcome)}
    outcome = with_unread(outcome, unread)
    rewards = rewards_of(outcome)
    names = candidate_names(len(rewards))
    named = [(name, why) for name, why in zip(names, outcome["unrewarded"] or (), strict=True) if why]
    lost = [
        f"{name} has no reward: {why}"
        for name, why in named
        if f"{name} cannot be judged: {why}" not in outcome["reasons"]
    ]
    return {
        "key": key,
        "scores": {run.id: reward for run, (reward, _) in zip(runs, rewards, strict=True)},
        "comment": "; ".join([_verdict("winner", outcome), *lost]),
    }


def _verdict(what: str, verification: Verification) -> str:
    told = f"{what} {verification['answer']} ({verification['route']}, {verification['status']})"
    return ": ".join([told, "; ".join(verification["reasons"])]) if verification["reasons"] else told
