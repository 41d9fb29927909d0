"""Reward functions in the form that TRL's `GRPOTrainer` calls.

    GRPOTrainer(model, reward_funcs=as_trl_reward(build_graph(Settings(task="best_of_n"))), ...)

Decides what is judged together. With `among="group"` the completions of one prompt are: the reward is the estimated
probability of being the best of them, and equal completions have it in common. With `among="none"` each is graded by
itself, by a graph of the task `pointwise`.

A completion that could not be judged has the reward None. TRL then leaves it out of its group's mean, and its advantage
is 0. Where the trainer offers to log, the reasons are in the column `unrewarded` of its table of completions, and
their share in the metric `egrm/unrewarded_share`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from egrm_graph.errors import OF_ONE_ITEM, SettingsError
from egrm_graph.integrations.calling import Graph, built, rewards_of
from egrm_graph.settings import Settings

Among = Literal["group", "none"]


class TrlReward(Protocol):
    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]: ...


class AsyncTrlReward(Protocol):
    async def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any
    ) -> list[float | None]: ...


@dataclass(frozen=True)
class Batch:
    """What is judged, and where in the batch its candidates are."""

    given: list[dict[str, Any]]
    places: list[list[int]]

    def spread(self, n: int, outcomes: Sequence[Any]) -> list[tuple[float | None, str | None]]:
        """For each completion its reward, or None and the reason."""
        spread: list[tuple[float | None, str | None]] = [(None, "it was not judged")] * n
        for places, outcome in zip(self.places, outcomes, strict=True):
            if isinstance(outcome, OF_ONE_ITEM):
                told: list[tuple[float | None, str | None]] = [(None, str(outcome))] * len(places)
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                told = rewards_of(outcome["verification"])
            for place, each in zip(places, told, strict=True):
                spread[place] = each
        return spread


def as_trl_reward(
    graph: Graph | Settings,
    *,
    among: Among = "group",
    reference_column: str | None = None,
    rubric: str | None = None,
    name: str = "egrm",
    max_concurrency: int = 32,
) -> TrlReward:
    """A reward function. `reference_column` is the column of the data set with the reference answers.

    Raises:
        SetupError: the settings do not fit together, or a model cannot be loaded.
    """
    called = built(graph)

    def reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        batch = _batch(prompts, completions, _column(columns, reference_column, len(prompts)), rubric, among)
        config: Any = {"max_concurrency": max_concurrency}
        outcomes = called.batch(batch.given, config, return_exceptions=True)  # type: ignore[arg-type]
        return _logged(batch.spread(len(completions), outcomes), columns)

    reward.__name__ = name
    return reward


def as_async_trl_reward(
    graph: Graph | Settings,
    *,
    among: Among = "group",
    reference_column: str | None = None,
    rubric: str | None = None,
    name: str = "egrm",
    max_concurrency: int = 32,
) -> AsyncTrlReward:
    """The same as a coroutine function, which TRL runs beside the other asynchronous ones."""
    called = built(graph)

    async def reward(prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        batch = _batch(prompts, completions, _column(columns, reference_column, len(prompts)), rubric, among)
        config: Any = {"max_concurrency": max_concurrency}
        outcomes = await called.abatch(batch.given, config, return_exceptions=True)  # type: ignore[arg-type]
        return _logged(batch.spread(len(completions), outcomes), columns)

    reward.__name__ = name
    return reward


def _batch(
    prompts: Sequence[Any],
    completions: Sequence[Any],
    references: Sequence[str | None],
    rubric: str | None,
    among: Among,
) -> Batch:
    groups: dict[str, list[int]] = {}
    for i, (prompt, reference) in enumerate(zip(prompts, references, strict=True)):
        alike = json.dumps([prompt, reference], sort_keys=True, default=str)
        groups.setdefault(alike if among == "group" else str(i), []).append(i)
    given = [
        {
            **_asked(prompts[places[0]]),
            "candidates": [_candidate(completions[i]) for i in places],
            "reference": references[places[0]],
            "rubric": rubric,
        }
        for places in groups.values()
    ]
    return Batch(given, list(groups.values()))


def _asked(prompt: Any) -> dict[str, Any]:
    return {"question": prompt} if isinstance(prompt, str) else {"messages": prompt}


def _candidate(completion: Any) -> Any:
    """Of a conversation what was said last."""
    return completion if isinstance(completion, str | Mapping) or not completion else completion[-1]


def _column(columns: Mapping[str, Any], name: str | None, n: int) -> list[str | None]:
    if name is None:
        return [None] * n
    if name not in columns:
        raise SettingsError(f"the data set has no column {name!r}; set reference_column to one that it has, or to None")
    return [None if each is None else str(each) for each in columns[name]]


def _logged(told: Sequence[tuple[float | None, str | None]], columns: Mapping[str, Any]) -> list[float | None]:
    log_extra: Callable[[str, list[str]], None] | None = columns.get("log_extra")
    if log_extra is not None:
        log_extra("unrewarded", [why or "" for _, why in told])
    log_metric: Callable[[str, float], None] | None = columns.get("log_metric")
    if log_metric is not None:
        log_metric("egrm/unrewarded_share", sum(reward is None for reward, _ in told) / len(told))
    return [reward for reward, _ in told]
