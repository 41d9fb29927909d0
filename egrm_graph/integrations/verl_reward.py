"""A reward function in the form that verl calls as `custom_reward_function`, with a graph of the task `pointwise`.

    compute_score = as_verl_reward(build_graph(Settings(task="pointwise", engine="vllm", ...)))

verl needs a number for every response and knows no missing one. So a response without a reward raises, unless the
caller says what stands in for it; then `judged` is 0.0 in verl's own record of the response.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypedDict

from egrm_graph.errors import InputError, RunError
from egrm_graph.integrations.calling import Graph, async_outcome_of, built, outcome_of, rewards_of
from egrm_graph.settings import Settings
from egrm_graph.verification import Verification


class Score(TypedDict):
    score: float
    judged: float
    """1.0 where the score is the graph's, 0.0 where it stands in for a missing one."""


class ComputeScore(Protocol):
    def __call__(
        self,
        data_source: str,
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> Score: ...


class AsyncComputeScore(Protocol):
    async def __call__(
        self,
        data_source: str,
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> Score: ...


def as_verl_reward(
    graph: Graph | Settings, *, question_key: str = "question", rubric: str | None = None, missing: float | None = None
) -> ComputeScore:
    """`compute_score`. The question is `extra_info[question_key]`; `missing` stands in for a reward that there is not,
    and None raises.

    Raises:
        SetupError: the settings do not fit together, or a model cannot be loaded.
    """
    called = built(graph)

    def compute_score(
        data_source: str,  # noqa: ARG001 - verl's signature
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | None = None,
        **others: Any,  # noqa: ARG001
    ) -> Score:
        given = _given(solution_str, ground_truth, extra_info, question_key, rubric)
        return _score(outcome_of(called, lambda: given), missing)

    return compute_score


def as_async_verl_reward(
    graph: Graph | Settings, *, question_key: str = "question", rubric: str | None = None, missing: float | None = None
) -> AsyncComputeScore:
    """The same as a coroutine function, of which verl's reward loop runs many at once."""
    called = built(graph)

    async def compute_score(
        data_source: str,  # noqa: ARG001 - verl's signature
        solution_str: str,
        ground_truth: Any,
        extra_info: Mapping[str, Any] | None = None,
        **others: Any,  # noqa: ARG001
    ) -> Score:
        given = _given(solution_str, ground_truth, extra_info, question_key, rubric)
        return _score(await async_outcome_of(called, lambda: given), missing)

    return compute_score


def _given(
    solution: str, ground_truth: Any, extra_info: Mapping[str, Any] | None, question_key: str, rubric: str | None
) -> Any:
    if not extra_info or question_key not in extra_info:
        known = ", ".join(map(repr, extra_info or {})) or "none"
        raise InputError(
            f"extra_info has no {question_key!r}, only {known}: put the question there when the data are prepared, "
            "or name its key as question_key"
        )
    return {
        "question": extra_info[question_key],
        "candidates": [solution],
        "reference": None if ground_truth is None else str(ground_truth),
        "rubric": rubric,
    }


def _score(outcome: Verification | Exception, missing: float | None) -> Score:
    [(reward, why)] = [(None, str(outcome))] if isinstance(outcome, Exception) else rewards_of(outcome)
    if reward is not None:
        return Score(score=reward, judged=1.0)
    if missing is None:
        raise RunError(f"the response has no reward: {why}; to go on without, say by missing=... what stands in for it")
    return Score(score=missing, judged=0.0)
