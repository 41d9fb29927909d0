"""Reward functions for verl's `custom_reward_function`, with a graph of the task `pointwise`.

    compute_score = as_verl_reward(Settings(task="pointwise", engine="vllm", ...))

verl needs a number for every response and cannot represent a missing one. So a response without a reward raises, unless
the caller gives a replacement. Then `judged` is 0.0 in verl's own record of the response.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, overload

from egrm_graph.errors import ITEM_ERRORS, InputError, RunError, SettingsError
from egrm_graph.integrations.evaluator_inputs import question_input
from egrm_graph.integrations.graph_calls import Graph, async_outcome_of, outcome_of, rewards_of
from egrm_graph.integrations.judge import CoroutineFunction, Judge
from egrm_graph.settings import Settings
from egrm_graph.tasks import judges_candidates
from egrm_graph.values import full_text
from egrm_graph.verification import Verification


class Score(dict[str, float]):
    """`score` and `judged`. `judged` is 1.0 for a score of the graph, and 0.0 for the replacement of a missing score.

    verl's reward managers read the score by name, except for `prime`, which reads item 0.
    """

    def __missing__(self, key: object) -> float:
        if key == 0:
            return self["score"]
        raise KeyError(key)


class ComputeScore(Protocol):
    """A reward function as verl calls it: for one response or, from the manager `batch`, for many."""

    @overload
    def __call__(
        self,
        data_source: Any,
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> Score: ...
    @overload
    def __call__(
        self,
        *,
        data_sources: Sequence[Any],
        solution_strs: Sequence[str],
        ground_truths: Sequence[Any],
        extra_infos: Sequence[Mapping[str, Any] | None],
        **others: Any,
    ) -> list[Score]: ...


class AsyncComputeScore(Protocol):
    """An async reward function for one response. The manager `batch` cannot call it."""

    async def __call__(
        self,
        data_source: Any,
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> Score: ...


def as_verl_reward(
    graph: Graph | Settings,
    *,
    question_key: str = "question",
    rubric: str | None = None,
    missing: float | None = None,
    max_concurrency: int = 32,
) -> ComputeScore:
    """Return `compute_score` for verl. The question is `extra_info[question_key]`.

    `missing` replaces a missing reward; with None, the function raises. `max_concurrency` is for the manager `batch`.

    If made from settings, the function can be pickled. Each process builds its graph at the first call, and that call
    raises `SetupError` if the graph cannot be built.

    Raises:
        SettingsError: the settings are not for the task `pointwise`.
    """
    return _Reward(_judge(graph), question_key, rubric, missing, max_concurrency)


def as_async_verl_reward(
    graph: Graph | Settings, *, question_key: str = "question", rubric: str | None = None, missing: float | None = None
) -> AsyncComputeScore:
    """Like `as_verl_reward`, but return a coroutine function, which verl's reward loop runs concurrently."""
    return _AsyncReward(_judge(graph), question_key, rubric, missing)


@dataclass(eq=False)
class _Scorer:
    """Turns verl's arguments into the graph's input, and outcomes into scores. Its fields can be pickled."""

    judge: Judge
    question_key: str
    rubric: str | None
    missing: float | None

    __name__ = "compute_score"

    def _input(self, solution: str, ground_truth: Any, extra_info: Mapping[str, Any] | None) -> Any:
        if not extra_info or self.question_key not in extra_info:
            known = ", ".join(map(repr, extra_info or {})) or "none"
            raise InputError(
                f"extra_info has no {self.question_key!r}, only {known}: put the question there when you prepare the "
                "data, or set question_key to its key"
            )
        return {
            **question_input(extra_info[self.question_key]),
            "candidates": [solution],
            "reference": None if ground_truth is None else full_text(ground_truth, "ground_truth"),
            "rubric": self.rubric,
        }

    def _score(self, outcome: Verification | BaseException) -> Score:
        [(reward, reason)] = [(None, str(outcome))] if isinstance(outcome, BaseException) else rewards_of(outcome)
        if reward is not None:
            return Score(score=reward, judged=1.0)
        if self.missing is None:
            raise RunError(f"the response has no reward: {reason}; to continue without one, set missing=... to a score")
        return Score(score=self.missing, judged=0.0)


@dataclass(eq=False)
class _Reward(_Scorer):
    max_concurrency: int

    def __call__(
        self,
        data_source: Any = None,  # noqa: ARG002 - verl's signature
        solution_str: Any = None,
        ground_truth: Any = None,
        extra_info: Any = None,
        *,
        solution_strs: Sequence[str] | None = None,
        ground_truths: Sequence[Any] = (),
        extra_infos: Sequence[Mapping[str, Any] | None] = (),
        **others: Any,  # noqa: ARG002
    ) -> Any:
        """Score one response, or many if `solution_strs` is given; see `ComputeScore` for the types."""
        if solution_strs is not None:
            return self._scores(solution_strs, ground_truths, extra_infos)
        inputs = self._input(solution_str, ground_truth, extra_info)
        return self._score(outcome_of(self.judge.graph, lambda: inputs))

    def _scores(
        self, solutions: Sequence[str], truths: Sequence[Any], infos: Sequence[Mapping[str, Any] | None]
    ) -> list[Score]:
        inputs = [self._input(*response) for response in zip(solutions, truths, infos, strict=True)]
        config: Any = {"max_concurrency": self.max_concurrency}
        outcomes: list[Any] = self.judge.graph.batch(inputs, config, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, ITEM_ERRORS):
                raise outcome
        return [
            self._score(outcome if isinstance(outcome, BaseException) else outcome["verification"])
            for outcome in outcomes
        ]


class _AsyncReward(CoroutineFunction, _Scorer):
    async def __call__(
        self,
        data_source: Any,  # noqa: ARG002 - verl's signature
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | None = None,
        **others: Any,  # noqa: ARG002
    ) -> Score:
        inputs = self._input(solution_str, ground_truth, extra_info)
        return self._score(await async_outcome_of(self.judge.graph, lambda: inputs))


def _judge(graph: Graph | Settings) -> Judge:
    if isinstance(graph, Settings) and judges_candidates(graph) and graph.task_name != "pointwise":
        raise SettingsError(
            f"the task {graph.task_name!r} compares responses; verl has one at a time: task='pointwise'"
        )
    return Judge(graph)
