"""A reward function in the form that verl calls as `custom_reward_function`, with a graph of the task `pointwise`.

    compute_score = as_verl_reward(Settings(task="pointwise", engine="vllm", ...))

verl needs a number for every response and has no form for a missing one. So a response without a reward raises, unless
the caller says what stands in for it; then `judged` is 0.0 in verl's own record of the response.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, overload

from egrm_graph.errors import ITEM_ERRORS, InputError, RunError, SettingsError
from egrm_graph.integrations.calling import Graph, async_outcome_of, outcome_of, rewards_of
from egrm_graph.integrations.evaluator_inputs import question_in
from egrm_graph.integrations.judge import CoroutineFunction, Judge
from egrm_graph.settings import Settings
from egrm_graph.values import full_text
from egrm_graph.verification import Verification


class Score(dict[str, float]):
    """`score` and `judged`; `judged` is 1.0 where the score is the graph's, 0.0 where it stands in for a missing one.

    verl's reward managers read it by name, all but `prime`, which takes item 0 for the score.
    """

    def __missing__(self, key: object) -> float:
        if key == 0:
            return self["score"]
        raise KeyError(key)


class ComputeScore(Protocol):
    """A reward function as verl calls it: for one response or, by the manager `batch`, for many."""

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
    """The same as a coroutine function, for one response; the manager `batch` calls no such function."""

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
    """`compute_score`. The question is `extra_info[question_key]`; `missing` stands in for a missing reward, and None
    raises. `max_concurrency` is for the manager `batch`.

    Made from settings, it can be pickled; each process builds its graph at the first call, and raises `SetupError` then
    if that fails.

    Raises:
        SettingsError: the settings are not for the task `pointwise`.
    """
    return _Reward(_judge(graph), question_key, rubric, missing, max_concurrency)


def as_async_verl_reward(
    graph: Graph | Settings, *, question_key: str = "question", rubric: str | None = None, missing: float | None = None
) -> AsyncComputeScore:
    """The same as a coroutine function, of which verl's reward loop runs many at once."""
    return _AsyncReward(_judge(graph), question_key, rubric, missing)


@dataclass(eq=False)
class _Asking:
    """How a response is put to the judge. Its state is plain, so it pickles."""

    judge: Judge
    question_key: str
    rubric: str | None
    missing: float | None

    __name__ = "compute_score"

    def _given(self, solution: str, ground_truth: Any, extra_info: Mapping[str, Any] | None) -> Any:
        if not extra_info or self.question_key not in extra_info:
            known = ", ".join(map(repr, extra_info or {})) or "none"
            raise InputError(
                f"extra_info has no {self.question_key!r}, only {known}: put the question there when you prepare the "
                "data, or set question_key to its key"
            )
        return {
            **question_in(extra_info[self.question_key]),
            "candidates": [solution],
            "reference": None if ground_truth is None else full_text(ground_truth, "ground_truth"),
            "rubric": self.rubric,
        }

    def _score(self, outcome: Verification | BaseException) -> Score:
        [(reward, why)] = [(None, str(outcome))] if isinstance(outcome, BaseException) else rewards_of(outcome)
        if reward is not None:
            return Score(score=reward, judged=1.0)
        if self.missing is None:
            raise RunError(f"the response has no reward: {why}; to go on without one, set missing=... to a score")
        return Score(score=self.missing, judged=0.0)


@dataclass(eq=False)
class _Reward(_Asking):
    max_concurrency: int

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
    ) -> Score | list[Score]:
        if solution_strs is not None:
            return self._scores(solution_strs, ground_truths, extra_infos)
        given = self._given(solution_str, ground_truth, extra_info)
        return self._score(outcome_of(self.judge.graph, lambda: given))

    def _scores(
        self, solutions: Sequence[str], truths: Sequence[Any], infos: Sequence[Mapping[str, Any] | None]
    ) -> list[Score]:
        given = [self._given(*each) for each in zip(solutions, truths, infos, strict=True)]
        config: Any = {"max_concurrency": self.max_concurrency}
        outcomes: list[Any] = self.judge.graph.batch(given, config, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, ITEM_ERRORS):
                raise outcome
        return [self._score(each if isinstance(each, BaseException) else each["verification"]) for each in outcomes]


class _AsyncReward(CoroutineFunction, _Asking):
    async def __call__(
        self,
        data_source: Any,  # noqa: ARG002 - verl's signature
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | None = None,
        **others: Any,  # noqa: ARG002
    ) -> Score:
        given = self._given(solution_str, ground_truth, extra_info)
        return self._score(await async_outcome_of(self.judge.graph, lambda: given))


def _judge(graph: Graph | Settings) -> Judge:
    if isinstance(graph, Settings) and graph.judges and graph.task_name != "pointwise":
        raise SettingsError(
            f"the task {graph.task_name!r} compares responses; verl has one at a time: task='pointwise'"
        )
    return Judge(graph)
