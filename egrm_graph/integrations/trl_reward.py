"""Reward functions for TRL's `GRPOTrainer`.

    GRPOTrainer(model, reward_funcs=as_trl_reward(Settings(task="best_of_n", engine="vllm", ...)), ...)

`among` decides what is judged together. With `among="group"`, the completions of one prompt are compared: the reward is
the estimated probability that a completion is the best of them, and equal completions share it. With `among="none"`,
each completion is graded on its own, by a graph of the task `pointwise`.

A completion that cannot be read or judged has the reward None. TRL excludes it from the mean of its group, and its
advantage is 0. The other completions keep their rewards. If the trainer supports logging, the reasons are in the column
`unrewarded` of its table of completions, and the share of missing rewards in the metric `egrm/unrewarded_share`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from langchain_core.messages import BaseMessage

from egrm_graph.errors import ITEM_ERRORS, InputError, SettingsError
from egrm_graph.integrations.graph_calls import Graph, Reward, message_text, read_each, rewards_of, with_unread
from egrm_graph.integrations.judge import CoroutineFunction, Judge
from egrm_graph.messages.chat_messages import last_answer, read_messages
from egrm_graph.settings import Settings
from egrm_graph.tasks import judges_candidates
from egrm_graph.values import full_text, json_text

Among = Literal["group", "none"]


class TrlReward(Protocol):
    """A reward function as TRL calls it."""

    @property
    def __name__(self) -> str: ...

    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]: ...


class AsyncTrlReward(Protocol):
    """An async reward function as TRL calls it."""

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
    """Return a reward function. `reference_column` is the column of the data set with the reference answers.

    If made from settings, the function can be pickled. Each process builds its graph at the first call, and that call
    raises `SetupError` if the graph cannot be built.

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
    """Like `as_trl_reward`, but return a coroutine function, which TRL runs concurrently with other async rewards."""
    return _AsyncReward(_judge(graph, among), among, reference_column, rubric, max_concurrency, name)


@dataclass(frozen=True)
class _Group:
    """Completions that are judged together."""

    indices: list[int]
    """The indices of the completions in the batch."""
    inputs: dict[str, Any] = field(default_factory=dict)
    """The graph's input."""
    unread: dict[int, str] = field(default_factory=dict)
    """Why completions cannot be read, by their index in the group."""
    error: InputError | None = None
    """Why the group cannot be judged."""

    def rewards(self, outcome: Any) -> list[Reward]:
        """Return each completion's reward, or None and the reason."""
        if isinstance(outcome, BaseException) and not isinstance(outcome, ITEM_ERRORS):
            raise outcome
        if isinstance(outcome, BaseException):
            return [(None, self.unread.get(i, str(outcome))) for i in range(len(self.indices))]
        return rewards_of(with_unread(outcome["verification"], self.unread))


@dataclass(frozen=True)
class _Batch:
    """The groups of one call of the reward function."""

    groups: Sequence[_Group]
    n_completions: int

    @property
    def inputs(self) -> Any:
        """The graph's inputs for the groups that can be judged."""
        return [group.inputs for group in self.groups if group.error is None]

    def rewards(self, outcomes: Sequence[Any], columns: Mapping[str, Any]) -> list[float | None]:
        """Return the reward of each completion, and log why some have none. `outcomes` has one item per input."""
        remaining = iter(outcomes)
        rewards: list[Reward] = [(None, "it was not judged")] * self.n_completions
        for group in self.groups:
            outcome = next(remaining) if group.error is None else group.error
            for i, reward in zip(group.indices, group.rewards(outcome), strict=True):
                rewards[i] = reward
        _log(rewards, columns)
        return [reward for reward, _ in rewards]


@dataclass(eq=False)
class _BatchReader:
    """Turns the trainer's arguments into a batch. Its fields are plain values, so it can be pickled."""

    judge: Judge
    among: Among
    reference_column: str | None
    rubric: str | None
    max_concurrency: int
    name: str

    @property
    def __name__(self) -> str:
        """The name under which TRL logs the rewards."""
        return self.name

    @property
    def config(self) -> Any:
        return {"max_concurrency": self.max_concurrency}

    def _batch(self, prompts: Sequence[Any], completions: Sequence[Any], columns: Mapping[str, Any]) -> _Batch:
        references = _column(columns, self.reference_column, len(prompts))
        groups: dict[str, list[int]] = {}
        for i, (prompt, reference) in enumerate(zip(prompts, references, strict=True)):
            key = _group_key(prompt, reference) if self.among == "group" else None
            groups.setdefault(str(i) if key is None else key, []).append(i)
        return _Batch(
            [
                self._group(indices, prompts[indices[0]], references[indices[0]], [completions[i] for i in indices])
                for indices in groups.values()
            ],
            len(completions),
        )

    def _group(self, indices: list[int], prompt: Any, reference: Any, completions: Sequence[Any]) -> _Group:
        candidates, unread = read_each(completions, _candidate)
        try:
            inputs = {
                **_question(prompt),
                "candidates": candidates,
                "reference": None if reference is None else full_text(reference, "the reference"),
                "rubric": self.rubric,
            }
        except InputError as error:
            return _Group(indices, unread=unread, error=error)
        failure = InputError("no completion of this prompt can be read") if len(unread) == len(indices) else None
        return _Group(indices, inputs, unread, failure)


class _Reward(_BatchReader):
    def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        batch = self._batch(prompts, completions, columns)
        inputs = batch.inputs
        outcomes = self.judge.graph.batch(inputs, self.config, return_exceptions=True) if inputs else []
        return batch.rewards(outcomes, columns)


class _AsyncReward(CoroutineFunction, _BatchReader):
    async def __call__(self, prompts: Sequence[Any], completions: Sequence[Any], **columns: Any) -> list[float | None]:
        batch = self._batch(prompts, completions, columns)
        inputs = batch.inputs
        outcomes = await self.judge.graph.abatch(inputs, self.config, return_exceptions=True) if inputs else []
        return batch.rewards(outcomes, columns)


def _judge(graph: Graph | Settings, among: Among) -> Judge:
    if (
        isinstance(graph, Settings)
        and judges_candidates(graph)
        and (graph.task_name == "pointwise") != (among == "none")
    ):
        raise SettingsError(
            f"the task {graph.task_name!r} does not fit among={among!r}: among='group' compares completions "
            "(task='best_of_n'), among='none' grades each on its own (task='pointwise')"
        )
    return Judge(graph)


def _group_key(prompt: Any, reference: Any) -> str | None:
    """Return a key that is equal for equal prompts and references. None if JSON cannot hold them."""
    try:
        return json_text([prompt, reference], sort_keys=True)
    except InputError:
        return None


def _question(prompt: Any) -> dict[str, Any]:
    """Return the graph's input for a prompt: a text, or messages. Messages may follow the user's question."""
    if isinstance(prompt, str):
        return {"question": prompt}
    messages = read_messages(prompt)
    questions = [message for message in messages if message.type == "human"]
    if not questions or messages[-1] is questions[-1]:
        return {"messages": messages}
    return {"messages": messages, "question": message_text(questions[-1], "the question")}


def _candidate(completion: Any) -> str | BaseMessage:
    """Return the model's last message, or an empty text for an empty conversation."""
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
        raise SettingsError(
            f"the data set has no column {name!r}; set reference_column to an existing column, or to None"
        )
    column: Sequence[Any] = columns[name]
    return column


def _log(rewards: Sequence[Reward], columns: Mapping[str, Any]) -> None:
    log_extra: Callable[[str, list[str]], None] | None = columns.get("log_extra")
    if log_extra is not None:
        log_extra("unrewarded", [reason or "" for _, reason in rewards])
    log_metric: Callable[[str, float], None] | None = columns.get("log_metric")
    if log_metric is not None and rewards:
        log_metric("egrm/unrewarded_share", sum(reward is None for reward, _ in rewards) / len(rewards))
