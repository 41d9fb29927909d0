"""Reward functions in the form that TRL's `GRPOTrainer` calls.

    GRPOTrainer(model, reward_funcs=as_trl_reward(Settings(task="best_of_n", engine="vllm", ...)), ...)

`among` decides what is judged together. With `among="group"`, the completions of one prompt are compared: the reward is
the estimated probability of being the best of them, and equal completions share it. With `among="none"`, each one is
graded alone, by a graph of the task `pointwise`.

A completion that cannot be read or judged has the reward None. TRL then leaves it out of its group's mean, and its
advantage is 0; the others keep their rewards. Where the trainer offers to log, the reasons are in the column
`unrewarded` of its table of completions, and their share in the metric `egrm/unrewarded_share`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from langchain_core.messages import BaseMessage

from egrm_graph.errors import ITEM_ERRORS, InputError, SettingsError
from egrm_graph.integrations.calling import Graph, Reward, readable, rewards_of, shown_text, with_unread
from egrm_graph.integrations.judge import CoroutineFunction, Judge
from egrm_graph.messages.chat_messages import last_answer, read_messages
from egrm_graph.settings import Settings
from egrm_graph.values import full_text

Among = Literal["group", "none"]


class TrlReward(Protocol):
    """A reward function as TRL calls it."""

    @property
    def __name__(self) -> str: ...

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]: ...


class AsyncTrlReward(Protocol):
    """The same as a coroutine function."""

    @property
    def __name__(self) -> str: ...

    async def __call__(
        self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any
    ) -> list[float | None]: ...


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

    Made from settings, it can be pickled; each process builds its graph at the first call, and raises `SetupError` then
    if that fails.

    Raises:
        SettingsError: the settings' task does not fit `among`.
    """
    return _Reward(_judge(graph, among), among, reference_column, rubric, max_concurrency, name)


def as_async_trl_reward(
    graph: Graph | Settings,
    *,
    among: Among = "group",
    reference_column: str | None = None,
    rubric: str | None = None,
    name: str = "egrm",
    max_concurrency: int = 32,
) -> AsyncTrlReward:
    """The same as a coroutine function, which TRL runs alongside its other asynchronous ones."""
    return _AsyncReward(_judge(graph, among), among, reference_column, rubric, max_concurrency, name)


@dataclass(frozen=True)
class _Group:
    """Completions that are judged together."""

    places: list[int]
    """Where they are in the batch."""
    given: dict[str, Any] = field(default_factory=dict)
    """The graph's input."""
    unread: dict[int, str] = field(default_factory=dict)
    """Why completions cannot be read, by their place in the group."""
    error: InputError | None = None
    """Why the group as a whole cannot be judged."""

    def rewards(self, outcome: Any) -> list[Reward]:
        """For each completion its reward, or None and the reason."""
        if isinstance(outcome, BaseException) and not isinstance(outcome, ITEM_ERRORS):
            raise outcome
        if isinstance(outcome, BaseException):
            return [(None, self.unread.get(i, str(outcome))) for i in range(len(self.places))]
        return rewards_of(with_unread(outcome["verification"], self.unread))


@dataclass(eq=False)
class _Asking:
    """How completions are put to the judge. Its state is plain, so it pickles."""

    judge: Judge
    among: Among
    reference_column: str | None
    rubric: str | None
    max_concurrency: int
    name: str

    @property
    def __name__(self) -> str:
        """TRL logs the rewards under it."""
        return self.name

    @property
    def config(self) -> Any:
        return {"max_concurrency": self.max_concurrency}

    def _groups(self, prompts: Sequence[Any], completions: Sequence[Any], columns: Mapping[str, Any]) -> list[_Group]:
        references = _column(columns, self.reference_column, len(prompts))
        groups: dict[str, list[int]] = {}
        for i, (prompt, reference) in enumerate(zip(prompts, references, strict=True)):
            alike = json.dumps([prompt, reference], sort_keys=True, default=str)
            groups.setdefault(alike if self.among == "group" else str(i), []).append(i)
        return [
            self._group(places, prompts[places[0]], references[places[0]], [completions[i] for i in places])
            for places in groups.values()
        ]

    def _group(self, places: list[int], prompt: Any, reference: Any, completions: Sequence[Any]) -> _Group:
        candidates, unread = readable(completions, _candidate)
        try:
            given = {
                **_asked(prompt),
                "candidates": candidates,
                "reference": None if reference is None else full_text(reference, "the reference"),
                "rubric": self.rubric,
            }
        except InputError as error:
            return _Group(places, unread=unread, error=error)
        lost = InputError("no completion of this prompt can be read") if len(unread) == len(places) else None
        return _Group(places, given, unread, lost)


class _Reward(_Asking):
    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        groups = self._groups(prompts, completions, columns)
        asked: Any = [group.given for group in groups if group.error is None]
        outcomes = self.judge.graph.batch(asked, self.config, return_exceptions=True) if asked else []
        return _logged(_spread(groups, outcomes, len(completions)), columns)


class _AsyncReward(CoroutineFunction, _Asking):
    async def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        groups = self._groups(prompts, completions, columns)
        asked: Any = [group.given for group in groups if group.error is None]
        outcomes = await self.judge.graph.abatch(asked, self.config, return_exceptions=True) if asked else []
        return _logged(_spread(groups, outcomes, len(completions)), columns)


def _judge(graph: Graph | Settings, among: Among) -> Judge:
    if isinstance(graph, Settings) and graph.judges and (graph.task_name == "pointwise") != (among == "none"):
        raise SettingsError(
            f"the task {graph.task_name!r} does not fit among={among!r}: among='group' compares completions "
            "(task='best_of_n'), among='none' grades each alone (task='pointwise')"
        )
    return Judge(graph)


def _asked(prompt: Any) -> dict[str, Any]:
    """The question: a text, or messages. Where others speak after the user, the messages are its conversation."""
    if isinstance(prompt, str):
        return {"question": prompt}
    messages = read_messages(prompt)
    asked = [message for message in messages if message.type == "human"]
    if not asked or messages[-1] is asked[-1]:
        return {"messages": messages}
    return {"messages": messages, "question": shown_text(asked[-1], "the question")}


def _candidate(completion: Any) -> str | BaseMessage:
    """What the model said last. Of an empty conversation, an empty text."""
    if isinstance(completion, str):
        return completion
    if completion is None:
        raise InputError("the completion is None")
    messages = read_messages(completion)
    return messages[last_answer(messages)] if messages else ""


def _column(columns: Mapping[str, Any], name: str | None, n: int) -> Sequence[Any]:
    if name is None:
        return [None] * n
    if name not in columns:
        raise SettingsError(f"the data set has no column {name!r}; set reference_column to one that it has, or to None")
    column: Sequence[Any] = columns[name]
    return column


def _spread(groups: Sequence[_Group], outcomes: Sequence[Any], n: int) -> list[Reward]:
    """For each completion of the batch its reward, or None and the reason."""
    spread: list[Reward] = [(None, "it was not judged")] * n
    judged = iter(outcomes)
    for group in groups:
        rewards = group.rewards(next(judged) if group.error is None else group.error)
        for place, each in zip(group.places, rewards, strict=True):
            spread[place] = each
    return spread


def _logged(told: Sequence[Reward], columns: Mapping[str, Any]) -> list[float | None]:
    log_extra: Callable[[str, list[str]], None] | None = columns.get("log_extra")
    if log_extra is not None:
        log_extra("unrewarded", [why or "" for _, why in told])
    log_metric: Callable[[str, float], None] | None = columns.get("log_metric")
    if log_metric is not None and told:
        log_metric("egrm/unrewarded_share", sum(reward is None for reward, _ in told) / len(told))
    return [reward for reward, _ in told]
