"""A client that saves what its model answers in a folder, and never asks the model the same thing twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from egrm_graph.clients.client import (
    Client,
    Completion,
    Completions,
    ContinuesPrompt,
    LabelLogprobs,
    Meter,
    Sampling,
    add_usage,
    no_usage,
)
from egrm_graph.clients.draws_folder import DrawsFolder, SavedLabels, SavedSample, labels_key, sample_key
from egrm_graph.errors import InputError
from egrm_graph.verification import Message, Usage

_T = TypeVar("_T")

NOT_DRAWN = "not among the saved draws"
"""In the error of a request that is not saved, if the model must not be asked."""


class SavedDraws:
    """Wraps a client. Whatever is saved in the folder is answered from there, and anything new is saved at once.

    A completion is identified by its prompt, sampling, and seed, and a reading of labels by its prompt and labels. One
    with more log-probabilities than requested serves, too. So methods that need the same completions share them, as
    long as their settings give the same seeds. Identical requests at the same time ask the model once. Lost completions
    are not saved, nor is anything of a call that fails or is canceled.

    The usage of a call is what it would have been without saved completions, except that the server's prefix cache
    counts only for what is newly drawn. Saved completions arrive at once, so time means nothing, and limits on time or
    tokens cancel other calls than they would without them.

    With `ask=False`, the model is never asked, and its server does not need to run. One process at a time may write to
    a folder. `aclose` closes the folder, and leaves the wrapped client open.

    Raises:
        InputError: the folder has the draws of another model, or cannot be read.
    """

    def __init__(self, client: Client, folder: Path, *, ask: bool = True) -> None:
        self._client = client
        self._ask = ask
        self._folder = DrawsFolder.opened(folder, _identity(client), write=ask)
        self._running: dict[bytes, Future[None]] = {}
        self._lock = Lock()
        # What the client says of itself by other properties than the Protocol's, such as those of `TakesOptions`.
        for name in dir(client):
            if not name.startswith("_") and not hasattr(self, name) and not callable(value := getattr(client, name)):
                setattr(self, name, value)

    @property
    def name(self) -> str:
        return self._client.name

    @property
    def gives_logprobs(self) -> bool:
        return self._client.gives_logprobs

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,
        meter: Meter | None = None,
    ) -> Completions:
        keys = {seed: sample_key(prompt, sampling, seed) for seed in seeds}
        drawn: dict[int, Completion] = {}
        usage = no_usage()

        def missing() -> dict[int, bytes]:
            left = {seed: key for seed, key in keys.items() if seed not in drawn}
            return {seed: key for seed, key in left.items() if not self._folder.has(key, sampling.logprobs)}

        async def draw(own: Sequence[int]) -> None:
            nonlocal usage
            started = time.perf_counter()
            found = await self._client.sample(prompt, sampling, seeds=own, request_id=request_id, meter=meter)
            seconds = time.perf_counter() - started
            for seed, sample in zip(own, _samples(found, seconds), strict=True):
                drawn[seed] = sample.completion
                if sample.completion.finish_reason != "abort":
                    self._folder.save_sample(prompt, sampling, seed, sample)
            usage = add_usage(usage, found.usage)

        await self._obtain(missing, draw)
        saved = {seed: self._folder.sample(key, sampling.logprobs) for seed, key in keys.items() if seed not in drawn}
        if saved:
            usage = add_usage(usage, _usage(list(saved.values()), drawn=bool(drawn)))
            if meter is not None:
                meter.add(sum(sample.completion_tokens for sample in saved.values()))
        completions = drawn | {seed: sample.completion for seed, sample in saved.items()}
        return Completions(tuple(completions[seed] for seed in seeds), usage)

    async def label_logprobs(
        self, prompt: Sequence[Message], labels: Sequence[str], *, request_id: str
    ) -> LabelLogprobs:
        key = labels_key(prompt, labels)
        read: list[LabelLogprobs] = []

        def missing() -> dict[None, bytes]:
            return {} if self._folder.has(key) else {None: key}

        async def draw(_: Sequence[None]) -> None:
            started = time.perf_counter()
            found = await self._client.label_logprobs(prompt, labels, request_id=request_id)
            seconds = time.perf_counter() - started
            usage = found.usage
            saved = SavedLabels(found.logprobs, usage["completion_tokens"], usage["prompt_tokens"], seconds)
            self._folder.save_labels(prompt, labels, saved)
            read.append(found)

        await self._obtain(missing, draw)
        if read:
            return read[0]
        saved = self._folder.labels(key)
        return LabelLogprobs(saved.logprobs, _one_request(saved.prompt_tokens, saved.completion_tokens))

    async def check(self) -> None:
        """Checks the model, unless it is never asked."""
        if self._ask:
            await self._client.check()

    async def aclose(self) -> None:
        """Closes the folder."""
        self._folder.close()

    async def _obtain(
        self, missing: Callable[[], Mapping[_T, bytes]], draw: Callable[[Sequence[_T]], Awaitable[None]]
    ) -> None:
        """Draws what is missing, and waits for what other calls are drawing. Whatever these do not bring is drawn here.

        Raises:
            InputError: something is missing, and the model must not be asked.
        """
        while True:
            with self._lock:
                left = missing()
                own = {item: key for item, key in left.items() if key not in self._running}
                others = [self._running[key] for item, key in left.items() if item not in own]
                if self._ask:
                    self._running |= {key: Future() for key in own.values()}
            if not left:
                return
            if not self._ask:
                raise InputError(f"{NOT_DRAWN} in {self._folder.path}; ask the model by leaving out --draws-only")
            if own:
                try:
                    await draw(list(own))
                finally:
                    with self._lock:
                        ended = [self._running.pop(key) for key in own.values()]
                    for future in ended:
                        future.set_result(None)
            else:
                await asyncio.wait(map(asyncio.wrap_future, others), return_when=asyncio.FIRST_COMPLETED)


def _identity(client: Client) -> dict[str, Any]:
    """What must be the same for two completions to be of one model."""
    return {
        "model": client.name,
        "engine": getattr(client, "engine", type(client).__name__),
        "continues_prompt": isinstance(client, ContinuesPrompt) and client.continues_prompt,
    }


def _samples(found: Completions, seconds: float) -> list[SavedSample]:
    """The completions of a call, each with its part in the usage."""
    usage, n = found.usage, len(found.completions)
    own_request = n > 1 and usage["requests"] == n
    complete = [each for each in found.completions if each.finish_reason != "abort"]
    n_prompts = len(complete) if own_request else usage["requests"]
    unreported = [each for each in complete if each.n_tokens is None]
    rest = (
        usage["completion_tokens"] - usage["cancelled_tokens"] - sum(each.n_tokens or 0 for each in found.completions)
    )
    share = max(rest, 0) // max(len(unreported), 1)
    return [
        SavedSample(
            completion=each,
            completion_tokens=share if each.n_tokens is None else each.n_tokens,
            prompt_tokens=usage["prompt_tokens"] // max(n_prompts, 1),
            own_request=own_request,
            seconds=seconds,
        )
        for each in found.completions
    ]


def _usage(saved: Sequence[SavedSample], *, drawn: bool) -> Usage:
    """What the saved completions of one call cost. If it has `drawn` others, the prompt is in their usage."""
    own = [sample for sample in saved if sample.own_request]
    together = [sample for sample in saved if not sample.own_request]
    prompts = [sample.prompt_tokens for sample in (*own, *([] if drawn else together[:1]))]
    tokens = sum(sample.completion_tokens for sample in saved)
    return {**_one_request(sum(prompts), tokens), "requests": len(prompts)}


def _one_request(prompt_tokens: int, completion_tokens: int) -> Usage:
    return {**no_usage(), "requests": 1, "prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
