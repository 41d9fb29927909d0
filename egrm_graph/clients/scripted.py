"""A client that answers from a script, for tests, including yours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from egrm_graph.clients.client import OPTIONS, Completion, Completions, LabelLogprobs, Meter, Sampling
from egrm_graph.errors import EgrmError, ServerError, SetupError, Unsupported
from egrm_graph.settings import ReplyForm
from egrm_graph.verification import Message, Usage

FAST, PATHS = "answer_fast", "expand_cot"


@dataclass(frozen=True)
class Fail:
    """This sample fails. It is lost and the others of its call count, unless all of them fail or `fails_call` is set:
    then the call raises. A text as the reason becomes a ServerError."""

    reason: str | EgrmError
    fails_call: bool = False

    @property
    def error(self) -> EgrmError:
        return ServerError(self.reason) if isinstance(self.reason, str) else self.reason


@dataclass(frozen=True)
class Disconnect:
    """The server disconnects after this many tokens, and the call raises a ServerError."""

    after_tokens: int = 0


@dataclass(frozen=True)
class Delay:
    """The answer takes this long, and its tokens arrive evenly over that time."""

    seconds: float
    answer: str | Completion | Fail | Disconnect


@dataclass(frozen=True)
class Stall:
    """Never answers. The call runs until it is cancelled."""


Item: TypeAlias = str | Completion | Fail | Delay | Disconnect | Stall
AnswerFunction: TypeAlias = Callable[[Sequence[Message], int, str], Item]
"""From a prompt, a seed, and a request id to an answer."""
Script: TypeAlias = Mapping[str, Sequence[Item]] | AnswerFunction
Labels: TypeAlias = Mapping[str, float] | Callable[[Sequence[Message]], Mapping[str, float] | EgrmError]


@dataclass
class ScriptedCall:
    """One call, and how it ended."""

    prompt: tuple[Message, ...]
    sampling: Sampling | None
    """None for a `label_logprobs` call."""
    seeds: tuple[int, ...]
    request_id: str
    state: Literal["running", "answered", "failed", "cancelled"] = "running"


class ScriptedClient:
    """Answers from a script instead of a model.

        ScriptedClient(fast=["56", "56", "56", "57", Fail("lost")], paths=["17+48=65;65-9=56;#56", Stall(), ...])
        ScriptedClient({"answer_fast": [...], "expand_cot": [...]})
        ScriptedClient(lambda prompt, seed, request_id: "56" if seed % 2 else Delay(0.1, "57"))

    Every run reads a list from its start. The request id `<run_id>.<node>.<i>` names the node, and the k-th seed of
    that call gets item i + k. So a sample's answer does not depend on the order of the calls.

    A text counts one token per character and no end token, and is not cut at `max_tokens`. A `Completion` is returned
    unchanged. `label_logprobs` answers if there are `labels`: log-probabilities by label, or a function from the prompt
    to them, or to an error that the call raises. `reply_forms` are the forms of reply that the client claims to
    support. If a prompt starts the reply, the script has only what follows.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        fast: Sequence[Item] | None = None,
        paths: Sequence[Item] | None = None,
        labels: Labels | None = None,
        reply_forms: Collection[ReplyForm] = (),
        name: str = "scripted",
    ) -> None:
        if script is not None and (fast is not None or paths is not None):
            raise SetupError("pass either a script, or fast and paths")
        lists = {node: items for node, items in ((FAST, fast), (PATHS, paths)) if items is not None}
        self._script: Script = lists if script is None else script
        self._labels = labels
        self.reply_forms = reply_forms
        self._name = name
        self._closed = False
        self.calls: list[ScriptedCall] = []
        """Every call, in order."""

    @property
    def name(self) -> str:
        return self._name

    @property
    def gives_logprobs(self) -> bool:
        return self._labels is not None

    @property
    def sampling_options(self) -> Collection[str]:
        return OPTIONS

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,
        meter: Meter | None = None,
    ) -> Completions:
        call = self._record(ScriptedCall(tuple(prompt), sampling, tuple(seeds), request_id))
        try:
            completions = await self._play(call, sampling, meter or Meter())
        except asyncio.CancelledError:
            call.state = "cancelled"
            raise
        except BaseException:
            call.state = "failed"
            raise
        call.state = "answered"
        return Completions(completions, _usage(prompt, sum(completion.n_tokens or 0 for completion in completions)))

    async def label_logprobs(
        self, prompt: Sequence[Message], labels: Sequence[str], *, request_id: str
    ) -> LabelLogprobs:
        call = self._record(ScriptedCall(tuple(prompt), None, (), request_id))
        call.state = "failed"
        if self._labels is None:
            raise Unsupported("this script has no log-probabilities; pass labels={'A': -0.1, ...}")
        known = self._labels(prompt) if callable(self._labels) else self._labels
        if isinstance(known, EgrmError):
            raise known
        for label in labels:
            if label not in known:
                raise SetupError(f"the script has no label {label!r}, only {', '.join(map(repr, known))}")
        call.state = "answered"
        return LabelLogprobs({label: known[label] for label in labels}, _usage(prompt, 0))

    async def check(self) -> None:
        if self._closed:
            raise SetupError(f"the client {self._name!r} was closed; create a new one")

    async def aclose(self) -> None:
        self._closed = True

    def _record(self, call: ScriptedCall) -> ScriptedCall:
        if self._closed:
            raise SetupError(f"the client {self._name!r} was closed; create a new one")
        self.calls.append(call)
        return call

    async def _play(self, call: ScriptedCall, sampling: Sampling, meter: Meter) -> tuple[Completion, ...]:
        items = [self._item(call, position) for position in range(len(call.seeds))]
        tasks = [asyncio.ensure_future(_answer(item, meter)) for item in items]
        try:
            played = await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # if one disconnects, the others of the call end, too
                task.cancel()
        lost = [sample for sample in played if isinstance(sample, Fail)]
        if lost and (len(lost) == len(played) or any(sample.fails_call for sample in lost)):
            raise next((sample for sample in lost if sample.fails_call), lost[0]).error
        return tuple(_completion(sample, sampling) for sample in played)

    def _item(self, call: ScriptedCall, position: int) -> Item:
        if callable(self._script):
            return self._script(call.prompt, call.seeds[position], call.request_id)
        node, index = _place(call.request_id)
        if node not in self._script:
            known = ", ".join(map(repr, self._script)) or "nothing"
            raise SetupError(f"the script has no answers for {node!r} (request {call.request_id!r}), only for {known}")
        items = self._script[node]
        if index + position >= len(items):
            raise SetupError(
                f"the script has {len(items)} answers for {node!r}, and request {call.request_id!r} asks for number "
                f"{index + position + 1}; give more answers, or lower samples or paths"
            )
        return items[index + position]


def _place(request_id: str) -> tuple[str, int]:
    parts = request_id.rsplit(".", 2)
    if len(parts) != 3 or not parts[2].isdecimal():
        raise SetupError(
            f"the request id {request_id!r} does not have the form <run_id>.<node>.<i>, which lists need; "
            "pass a function as the script"
        )
    return parts[1], int(parts[2])


async def _answer(item: Item, meter: Meter) -> Completion | Fail:
    seconds = 0.0
    if isinstance(item, Delay):
        seconds, item = item.seconds, item.answer
    if isinstance(item, Stall):
        await asyncio.Event().wait()
        raise AssertionError("a stalled call returned")
    if isinstance(item, Disconnect):
        await _count(item.after_tokens, seconds, meter)
        raise ServerError(f"the scripted server disconnected after {item.after_tokens} tokens")
    if isinstance(item, str):
        item = Completion(item, "stop", len(item))
    await _count(item.n_tokens or 0 if isinstance(item, Completion) else 0, seconds, meter)
    return item


async def _count(n_tokens: int, seconds: float, meter: Meter) -> None:
    await asyncio.sleep(0 if n_tokens else seconds)
    for _ in range(n_tokens):
        if seconds:
            await asyncio.sleep(seconds / n_tokens)
        meter.add(1)


def _completion(played: Completion | Fail, sampling: Sampling) -> Completion:
    if isinstance(played, Fail):
        return Completion("", "abort", None, error=str(played.error))
    if sampling.logprobs and played.logprobs is None and played.error is None:
        raise Unsupported(
            "log-probabilities were requested, but the script's texts have none; use a Completion in the script"
        )
    return played


def _usage(prompt: Sequence[Message], completion_tokens: int) -> Usage:
    return Usage(
        requests=1,
        prompt_tokens=sum(len(message["content"]) for message in prompt),
        cached_tokens=0,
        completion_tokens=completion_tokens,
        cancelled_tokens=0,
    )
