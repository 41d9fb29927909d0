"""A language model behind one or several servers with an OpenAI-style API."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

from pydantic import SecretStr

from egrm_graph.clients.client import (
    Completion,
    Completions,
    LabelLogprobs,
    Meter,
    Sampling,
    add_usage,
    no_usage,
    prompt_text,
    started_turn,
)
from egrm_graph.clients.observing import observed
from egrm_graph.clients.server_answers import read_completions, read_label_logprobs, read_usage
from egrm_graph.clients.server_api import VLLM, ServerApi
from egrm_graph.clients.server_errors import (
    LimitRefused,
    LogprobsRefused,
    ServerFixes,
    SeveralRefused,
    SwitchRefused,
)
from egrm_graph.clients.server_requests import Endpoint, label_body, route, sample_body, thinking_switch
from egrm_graph.clients.server_stream import TokenTally, read_answer
from egrm_graph.clients.server_tokens import TokenTexts, prompt_body, read_ids, with_texts
from egrm_graph.clients.transport import ServerRequest, Transport, all_results, read_json, served_models
from egrm_graph.errors import ContextTooLong, RunError, ServerError, Unsupported
from egrm_graph.settings import ReplyForm, Thinking
from egrm_graph.verification import Message, Usage

PROMPTS = 256
"""The ids of this many prompts are kept, for the branches of their trees."""
STANDARD_TOP_LOGPROBS = 20
"""The most that the OpenAI API gives for one position."""


@dataclass(frozen=True)
class _SampleCall:
    """The arguments of one `sample` call."""

    prompt: Sequence[Message]
    sampling: Sampling
    request_id: str
    meter: Meter | None
    prompt_ids: tuple[int, ...] | None = None
    """The prompt, and the tokens that the completion begins with, if it is continued by ids."""


class ServerClient:
    """Samples from the model that the servers serve under the name `model`.

    `api` says what kind of server it is: `VLLM`, or `OPENAI` for any other, which gets only the standard fields and
    the sampling options that are set. Other servers than vLLM get one request per seed. vLLM gets consecutive seeds in
    one request, which computes the prompt once but can only be cancelled as one; to cancel samples separately, draw
    each by a call of its own. Close the client with `aclose`.
    """

    def __init__(
        self,
        model: str,
        base_urls: Sequence[str] = ("http://localhost:8000/v1",),
        *,
        api: ServerApi = VLLM,
        api_key: str | SecretStr | None = None,
        endpoint: Endpoint = "chat",
        connect_timeout_s: float = 5.0,
        request_timeout_s: float = 300.0,
        attempts: int = 4,
    ) -> None:
        self._model = model
        self._api = api
        self._endpoint: Endpoint = endpoint
        self._transport = Transport(
            model,
            base_urls,
            api_key=api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key,
            connect_timeout_s=connect_timeout_s,
            request_timeout_s=request_timeout_s,
            attempts=attempts,
            fixes=ServerFixes(
                setting="base_url",
                no_answer=api.start_hint.format(model=model),
                other_model="set model (--model) to a served name",
            ),
        )
        # What the servers turn out to take, learned from their first refusal.
        self._switch = True
        self._several = api.counts_seeds_up
        self._limit: str | None = None
        self._context: int | None = None
        self._tokenized: dict[str, list[int]] = {}
        self._prompts: dict[tuple[str, Thinking], tuple[int, ...]] = {}
        self._texts = TokenTexts(model, self._post)

    @property
    def engine(self) -> str:
        """The name of the engine, for traces and telemetry."""
        return self._api.engine

    @property
    def name(self) -> str:
        return self._model

    @property
    def gives_logprobs(self) -> bool:
        return True

    @property
    def continues_prompt(self) -> bool:
        return self._endpoint == "completions"

    @property
    def continues_tokens(self) -> bool:
        return "token_prompts" in self._api.extensions

    @property
    def sampling_options(self) -> Collection[str]:
        return self._api.options

    @property
    def reply_forms(self) -> Collection[ReplyForm]:
        continues = self._endpoint == "completions" or "continue_final_message" in self._api.extensions
        forms: dict[ReplyForm, bool] = {
            "continued": continues,
            "structured": "structured_outputs" in self._api.extensions,
        }
        return [form for form, supported in forms.items() if supported]

    @property
    def optional_reply_forms(self) -> Collection[ReplyForm]:
        """SGLang continues started turns, too, and others ignore the field: they answer in a turn of their own."""
        return ["continued"]

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,
        meter: Meter | None = None,
    ) -> Completions:
        """One completion per seed; streamed if there is a `meter` to count its tokens."""
        return await self._transport.run(self._sample(_SampleCall(prompt, sampling, request_id, meter), seeds))

    async def label_logprobs(
        self, prompt: Sequence[Message], labels: Sequence[str], *, request_id: str
    ) -> LabelLogprobs:
        """The log-probability of each label as the next token, from one request.

        vLLM gives it for any token, with thinking switched off. Other servers list the likeliest tokens, and the labels
        have to be among them.

        Raises:
            Unsupported: a label is not a single token of this model, or the server does not give its log-probability.
        """
        read = self._labels_by_id if "logprob_token_ids" in self._api.extensions else self._labels_by_text
        return await self._transport.run(read(prompt, labels, request_id))

    async def check(self) -> None:
        """Raises the error that names the fix if a server does not answer, or does not serve the model."""
        await self._transport.run(self._check())

    async def aclose(self) -> None:
        """Cancels what still runs, and closes the connections and the thread."""
        await self._transport.aclose()

    async def _sample(self, call: _SampleCall, seeds: Sequence[int]) -> Completions:
        begins_with = call.sampling.begins_with
        if begins_with is not None:
            if not self.continues_tokens:
                raise Unsupported(f"engine={self.engine!r} cannot continue token ids; use a vLLM server")
            prompt_ids = await self._prompt_ids(call.prompt, call.sampling.thinking)
            call = replace(call, prompt_ids=(*prompt_ids, *begins_with))
        # Servers refuse greedy decoding of more than one completion per request.
        several = self._several and call.sampling.temperature > 0
        runs = _consecutive(seeds) if several else [[seed] for seed in seeds]
        if len(runs) == 1:
            return await self._draw(call, runs[0], call.request_id)
        return await self._draw_runs(call, runs)

    async def _draw_runs(self, call: _SampleCall, runs: Sequence[Sequence[int]]) -> Completions:
        parts = await self._draw_all(call, {f"{call.request_id}.{i}": run for i, run in enumerate(runs)})
        completions: tuple[Completion, ...] = sum((part.completions for part in parts), ())
        return Completions(completions, add_usage(*(part.usage for part in parts)))

    async def _draw_all(
        self, call: _SampleCall, runs: Mapping[str, Sequence[int]], *, raises: bool = True
    ) -> list[Completions]:
        """The completions of each run of seeds, by request id. If some requests fail and others do not, the samples of
        those that failed have the reason as their error."""

        async def one(request_id: str, run: Sequence[int]) -> Completions | RunError:
            try:
                return await self._draw(call, run, request_id)
            except RunError as error:
                return error

        parts = await all_results([one(request_id, run) for request_id, run in runs.items()])
        failed = [part for part in parts if isinstance(part, RunError)]
        if raises and len(failed) == len(parts):
            raise failed[0]
        return [
            _lost(part, len(run)) if isinstance(part, RunError) else part
            for part, run in zip(parts, runs.values(), strict=True)
        ]

    async def _draw(self, call: _SampleCall, seeds: Sequence[int], request_id: str) -> Completions:
        """One request for a run of seeds. If the server gives fewer completions, the others are requested one by
        one."""
        try:
            drawn, usage = await self._request(call, seeds, request_id)
        except SeveralRefused:
            if len(seeds) == 1:
                raise
            drawn, usage = {}, no_usage()
        if len(drawn) < len(seeds):
            usage = add_usage(usage, await self._draw_missing(call, seeds, request_id, drawn))
        return Completions(tuple(completion for _, completion in sorted(drawn.items())), usage)

    async def _draw_missing(
        self, call: _SampleCall, seeds: Sequence[int], request_id: str, drawn: dict[int, Completion]
    ) -> Usage:
        """Requests the completions that are missing among those drawn, and adds them. Returns the usage."""
        if len(seeds) == 1:
            raise ServerError("the server answered with other choices than the one that was asked for")
        self._several = False
        missing = [place for place in range(len(seeds)) if place not in drawn]
        singles = {f"{request_id}.{place}": [seeds[place]] for place in missing}
        parts = await self._draw_all(call, singles, raises=not drawn)
        drawn |= {place: part.completions[0] for place, part in zip(missing, parts, strict=True)}
        return add_usage(*(part.usage for part in parts))

    async def _request(
        self, call: _SampleCall, seeds: Sequence[int], request_id: str
    ) -> tuple[dict[int, Completion], Usage]:
        """The completions of one request, by their place among the seeds."""
        tally = None if call.meter is None else TokenTally(call.meter)
        answer = await self._answer(call, seeds, request_id, tally)
        usage = read_usage(answer)
        started = bool(started_turn(call.prompt)) and call.prompt_ids is None
        completions = read_completions(answer, call.sampling, len(seeds), started=started)
        if call.prompt_ids is not None:
            texts = [with_texts(completion, call.sampling, self._texts) for completion in completions.values()]
            completions = dict(zip(completions, await all_results(texts), strict=True))
        return completions, usage if tally is None else tally.settle(usage)

    async def _answer(
        self, call: _SampleCall, seeds: Sequence[int], request_id: str, tally: TokenTally | None
    ) -> dict[str, Any]:
        """The answer to one request, sent again without what the server refuses if it can do without."""
        try:
            return await self._fitting(call, seeds, request_id, tally)
        except (SwitchRefused, LimitRefused) as refused:
            self._adapt(refused, call.sampling.thinking)
        return await self._fitting(call, seeds, request_id, tally)

    async def _fitting(
        self, call: _SampleCall, seeds: Sequence[int], request_id: str, tally: TokenTally | None
    ) -> dict[str, Any]:
        """If the server refuses more tokens than its context has left, asks for all that are left. A prompt that does
        not fit on its own is refused again."""
        if self._context is None or call.sampling.max_tokens < self._context:
            try:
                return await self._send(call, seeds, request_id, tally, fill_context=False)
            except ContextTooLong as error:
                self._context = error.context_tokens
        if (left := await self._left_of_context(call)) is not None:
            call = replace(call, sampling=replace(call.sampling, max_tokens=min(call.sampling.max_tokens, left)))
        return await self._send(call, seeds, request_id, tally, fill_context=left is None)

    async def _left_of_context(self, call: _SampleCall) -> int | None:
        """How many tokens the context has left, on vLLM's `/completions`: without a maximum, it gives 16. None on other
        routes, which give all that are left, and if the context is not known.

        Raises:
            ContextTooLong: the prompt fills the context.
        """
        on_completions = call.prompt_ids is not None or self._endpoint == "completions"
        if self._context is None or not (on_completions and self.continues_tokens):
            return None
        ids = call.prompt_ids or await self._prompt_ids(call.prompt, call.sampling.thinking)
        if len(ids) >= self._context:
            raise ContextTooLong(
                f"the prompt has {len(ids)} tokens and the context of {self._model} holds {self._context}, completion "
                "included; shorten the question or take a model with a longer context",
                self._context,
            )
        return self._context - len(ids)

    async def _send(
        self,
        call: _SampleCall,
        seeds: Sequence[int],
        request_id: str,
        tally: TokenTally | None,
        *,
        fill_context: bool,
    ) -> dict[str, Any]:
        endpoint = self._endpoint if call.prompt_ids is None else "completions"
        body = sample_body(
            endpoint,
            self._model,
            call.prompt,
            call.sampling,
            seeds,
            api=self._api,
            limit=self._limit if endpoint == self._endpoint else None,
            switch=self._switch,
            fill_context=fill_context,
            prompt_ids=call.prompt_ids,
        )
        if tally is not None:
            body |= {"stream": True, "stream_options": dict(self._api.stream_options)}
        request = ServerRequest(route(endpoint), body, request_id)
        try:
            answer = await self._transport.send(request, partial(read_answer, tally))
        except LogprobsRefused as error:
            raise error.of("top_logprobs", call.sampling.logprobs, self._api.logprobs_hint) from error
        if (observation := observed.get()) is not None:
            version = answer.get("system_fingerprint")
            observation.server_version = version if isinstance(version, str) else None
        return answer

    def _adapt(self, refused: SwitchRefused | LimitRefused, thinking: str) -> None:
        """Leaves out from now on what the server refused, or raises the error. Strict servers, and Mistral's own
        tokenizers, refuse the field that switches thinking off. OpenAI's reasoning models refuse `max_tokens`."""
        if isinstance(refused, SwitchRefused):
            if thinking != "off":
                raise refused
            self._switch = False
        else:
            if self._limit is not None or self._api.chat_limit != "max_tokens" or self._endpoint != "chat":
                raise refused
            self._limit = "max_completion_tokens"

    async def _labels_by_id(self, prompt: Sequence[Message], labels: Sequence[str], request_id: str) -> LabelLogprobs:
        start = started_turn(prompt)
        if start:
            await self._token_ids(start)  # once, before all labels need it
        ids = await all_results([self._label_id(label, start) for label in labels])
        try:
            answer = await self._send_labels(prompt, ids, request_id)
        except (SwitchRefused, LimitRefused) as refused:
            self._adapt(refused, "off")
            answer = await self._send_labels(prompt, ids, request_id)
        found = read_label_logprobs(self._endpoint, answer)
        if missing := [label for label, token_id in zip(labels, ids, strict=True) if token_id not in found]:
            raise Unsupported(f"the server gave no log-probabilities of {missing}; label_logprobs needs vLLM 0.32")
        logprobs = {label: found[token_id] for label, token_id in zip(labels, ids, strict=True)}
        return LabelLogprobs(logprobs, read_usage(answer))

    async def _send_labels(self, prompt: Sequence[Message], ids: Sequence[int], request_id: str) -> dict[str, Any]:
        body = label_body(self._endpoint, self._model, prompt, ids, switch=self._switch)
        return await self._transport.send(ServerRequest(route(self._endpoint), body, request_id), read_json)

    async def _label_id(self, label: str, start: str) -> int:
        before = await self._token_ids(start) if start else []
        tokens = await self._token_ids(start + label)
        if len(tokens) != len(before) + 1 or tokens[:-1] != before:
            after = f" after {start!r}" if start else ""
            raise Unsupported(
                f"the label {label!r} is not one token of {self._model}{after} but {tokens[len(before) :]}; choose "
                "another"
            )
        return tokens[-1]

    async def _post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._transport.send(ServerRequest(path, dict(body)), read_json)

    async def _prompt_ids(self, prompt: Sequence[Message], thinking: Thinking) -> tuple[int, ...]:
        """The ids of the prompt, as the server's template writes it."""
        key = (json.dumps(list(prompt)), thinking)
        if (known := self._prompts.get(key)) is not None:
            return known
        if self._endpoint == "completions":
            ids = read_ids(await self._post("/tokenize", {"model": self._model, "prompt": prompt_text(prompt, "")}))
        else:
            ids = read_ids(await self._post("/tokenize", self._prompt_body(prompt, thinking)))
        if len(self._prompts) >= PROMPTS:
            del self._prompts[next(iter(self._prompts))]
        self._prompts[key] = ids
        return ids

    def _prompt_body(self, prompt: Sequence[Message], thinking: Thinking) -> dict[str, Any]:
        switch = thinking_switch(self._api, "chat", thinking, switch=self._switch)
        return prompt_body(self._model, prompt, switch)

    async def _token_ids(self, text: str) -> list[int]:
        if text not in self._tokenized:
            body = {"model": self._model, "prompt": text, "add_special_tokens": False}
            tokens = (await self._post("/tokenize", body)).get("tokens")
            if not isinstance(tokens, list) or not all(type(token) is int for token in tokens):
                raise Unsupported(f"the server tokenizes {text!r} as {tokens!r}; label_logprobs needs vLLM 0.32")
            self._tokenized[text] = tokens
        return self._tokenized[text]

    async def _labels_by_text(self, prompt: Sequence[Message], labels: Sequence[str], request_id: str) -> LabelLogprobs:
        sampling = Sampling(temperature=1.0, max_tokens=1, logprobs=STANDARD_TOP_LOGPROBS)
        answer = await self._answer(_SampleCall(prompt, sampling, request_id, None), [0], request_id, None)
        top = (read_completions(answer, sampling, 1)[0].top_logprobs or ({},))[0]
        if missing := [label for label in labels if label not in top]:
            raise Unsupported(
                f"the {STANDARD_TOP_LOGPROBS} likeliest tokens that the server lists do not include the labels "
                f"{missing}; set label_probabilities='never', or use a vLLM server, which gives any label"
            )
        return LabelLogprobs({label: top[label] for label in labels}, read_usage(answer))

    async def _check(self) -> None:
        for url in self._transport.base_urls:
            served = await self._transport.send(ServerRequest("/models"), served_models, base_url=url)
            if self._model not in served:
                raise self._transport.not_served(url, served)


def _lost(error: RunError, n: int) -> Completions:
    return Completions((Completion("", "abort", None, error=str(error)),) * n, {**no_usage(), "requests": 1})


def _consecutive(seeds: Sequence[int]) -> list[Sequence[int]]:
    """The seeds in runs of consecutive ones."""
    starts = [i for i, seed in enumerate(seeds) if i == 0 or seed != seeds[i - 1] + 1]
    return [seeds[start:end] for start, end in pairwise([*starts, len(seeds)])]
