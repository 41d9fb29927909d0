"""Evaluators for LangSmith and openevals.

    evaluate(target, data=..., evaluators=[as_evaluator(graph)])

For one output, they return `key`, `score` (the reward, in [0, 1]), `comment` (the verdict in one line), and `metadata`.
For the outputs of several runs on one example, they return `key`, `scores` (the rewards by run id), and `comment`. If
an output cannot be judged, its score is None and the comment says why: a failure is never a score. Values other than
texts and messages are judged in full, as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from uuid import UUID

from egrm_graph.integrations.evaluator_inputs import candidate_in, find_question, question_before_answer, reference_in
from egrm_graph.integrations.graph_calls import (
    Graph,
    async_outcome_of,
    built,
    candidate_names,
    outcome_of,
    read_each,
    rewards_of,
    with_unread,
)
from egrm_graph.settings import Settings
from egrm_graph.verification import Verification


class EvaluatedRun(Protocol):
    """The part of a LangSmith run that is used."""

    @property
    def id(self) -> UUID: ...


class Evaluator(Protocol):
    """A function that grades one output."""

    def __call__(
        self, inputs: Any = None, outputs: Any = None, reference_outputs: Any = None, **others: Any
    ) -> dict[str, Any]: ...


class AsyncEvaluator(Protocol):
    """A coroutine function that grades one output."""

    async def __call__(
        self, inputs: Any = None, outputs: Any = None, reference_outputs: Any = None, **others: Any
    ) -> dict[str, Any]: ...


class ComparativeEvaluator(Protocol):
    """A function that compares the outputs of several runs."""

    def __call__(
        self, runs: Sequence[EvaluatedRun], inputs: Any, outputs: Sequence[Any], reference_outputs: Any = None
    ) -> dict[str, Any]: ...


class AsyncComparativeEvaluator(Protocol):
    """A coroutine function that compares the outputs of several runs."""

    async def __call__(
        self, runs: Sequence[EvaluatedRun], inputs: Any, outputs: Sequence[Any], reference_outputs: Any = None
    ) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Fields:
    """The keys of question, answer, and reference. A key may be omitted if its object has only one."""

    question: str | None = None
    answer: str | None = None
    reference: str | None = None

    def graded(self, inputs: Any, output: Any, reference: Any, rubric: str | None) -> Any:
        """Return the graph's input for one output. Without inputs, the output is a conversation with the question.

        Raises:
            InputError: several keys could be meant, or a value cannot be written out.
        """
        is_conversation = inputs is None and self.question is None
        question = question_before_answer(output) if is_conversation else find_question(inputs, self.question)
        return self._graph_input(question, [candidate_in(output, self.answer)], reference, rubric)

    def compared(self, inputs: Any, candidates: Sequence[Any], reference: Any, rubric: str | None) -> Any:
        """Return the graph's input for several candidates.

        Raises:
            InputError: several keys could be meant, or a value cannot be written out.
        """
        return self._graph_input(find_question(inputs, self.question), candidates, reference, rubric)

    def _graph_input(
        self, question: dict[str, Any], candidates: Sequence[Any], reference: Any, rubric: str | None
    ) -> Any:
        return {
            **question,
            "candidates": candidates,
            "reference": reference_in(reference, self.reference),
            "rubric": rubric,
        }


def as_evaluator(
    graph: Graph | Settings, *, key: str = "egrm", rubric: str | None = None, fields: Fields | None = None
) -> Evaluator:
    """Return an evaluator that grades one output with a graph of the task `pointwise`.

    Without `inputs`, the output is a conversation, and the assistant's last message in it is graded.

    Raises:
        SetupError: the settings do not fit together, or a model cannot be loaded.
    """
    called, keys = built(graph), fields or Fields()

    # openevals passes further arguments, such as a context.
    def evaluate(
        inputs: Any = None,
        outputs: Any = None,
        reference_outputs: Any = None,
        **others: Any,  # noqa: ARG001
    ) -> dict[str, Any]:
        inputs_of = partial(keys.graded, inputs, outputs, reference_outputs, rubric)
        return _evaluation(key, outcome_of(called, inputs_of))

    evaluate.__name__ = key
    return evaluate


def as_async_evaluator(
    graph: Graph | Settings, *, key: str = "egrm", rubric: str | None = None, fields: Fields | None = None
) -> AsyncEvaluator:
    """Like `as_evaluator`, but return a coroutine function, for `aevaluate`."""
    called, keys = built(graph), fields or Fields()

    async def evaluate(
        inputs: Any = None,
        outputs: Any = None,
        reference_outputs: Any = None,
        **others: Any,  # noqa: ARG001
    ) -> dict[str, Any]:
        inputs_of = partial(keys.graded, inputs, outputs, reference_outputs, rubric)
        return _evaluation(key, await async_outcome_of(called, inputs_of))

    evaluate.__name__ = key
    return evaluate


def as_comparative_evaluator(
    graph: Graph | Settings, *, key: str = "egrm", rubric: str | None = None, fields: Fields | None = None
) -> ComparativeEvaluator:
    """Return an evaluator that compares the outputs of several runs on one example.

    The graph has the task `pairwise` or `best_of_n`.

    Raises:
        SetupError: the settings do not fit together, or a model cannot be loaded.
    """
    called, keys = built(graph), fields or Fields()

    def compare(
        runs: Sequence[EvaluatedRun], inputs: Any, outputs: Sequence[Any], reference_outputs: Any = None
    ) -> dict[str, Any]:
        candidates, unread = read_each(outputs, partial(candidate_in, key=keys.answer))
        inputs_of = partial(keys.compared, inputs, candidates, reference_outputs, rubric)
        return _comparison(key, runs, outcome_of(called, inputs_of), unread)

    compare.__name__ = key
    return compare


def as_async_comparative_evaluator(
    graph: Graph | Settings, *, key: str = "egrm", rubric: str | None = None, fields: Fields | None = None
) -> AsyncComparativeEvaluator:
    """Like `as_comparative_evaluator`, but return a coroutine function."""
    called, keys = built(graph), fields or Fields()

    async def compare(
        runs: Sequence[EvaluatedRun], inputs: Any, outputs: Sequence[Any], reference_outputs: Any = None
    ) -> dict[str, Any]:
        candidates, unread = read_each(outputs, partial(candidate_in, key=keys.answer))
        inputs_of = partial(keys.compared, inputs, candidates, reference_outputs, rubric)
        return _comparison(key, runs, await async_outcome_of(called, inputs_of), unread)

    compare.__name__ = key
    return compare


def _evaluation(key: str, outcome: Verification | Exception) -> dict[str, Any]:
    if isinstance(outcome, Exception):
        return {"key": key, "score": None, "comment": str(outcome), "metadata": {}}
    [(score, reason)] = rewards_of(outcome)
    metadata = {name: outcome[name] for name in ("run_id", "status", "route", "answer", "confidence", "usage")}
    return {"key": key, "score": score, "comment": reason or _verdict("grade", outcome), "metadata": metadata}


def _comparison(
    key: str, runs: Sequence[EvaluatedRun], outcome: Verification | Exception, unread: Mapping[int, str]
) -> dict[str, Any]:
    if isinstance(outcome, Exception):
        return {"key": key, "scores": {run.id: None for run in runs}, "comment": str(outcome)}
    outcome = with_unread(outcome, unread)
    rewards = rewards_of(outcome)
    names = candidate_names(len(rewards))
    missing = [(name, reason) for name, reason in zip(names, outcome["unrewarded"] or (), strict=True) if reason]
    lost = [
        f"{name} has no reward: {reason}"
        for name, reason in missing
        if f"{name} cannot be judged: {reason}" not in outcome["reasons"]
    ]
    return {
        "key": key,
        "scores": {run.id: reward for run, (reward, _) in zip(runs, rewards, strict=True)},
        "comment": "; ".join([_verdict("winner", outcome), *lost]),
    }


def _verdict(kind: str, verification: Verification) -> str:
    """Return the verdict in one line. `kind` is `grade` or `winner`."""
    verdict = f"{kind} {verification['answer']} ({verification['route']}, {verification['status']})"
    return ": ".join([verdict, "; ".join(verification["reasons"])]) if verification["reasons"] else verdict
