"""Any LangChain chat model as a client: for models that are reached no other way."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from egrm_graph.clients.client import (
    OPTIONS,
    Completion,
    Completions,
    LabelLogprobs,
    Meter,
    Sampling,
    add_usage,
    stopped,
)
from egrm_graph.clients.finish import Finish, read_finish
from egrm_graph.clients.langsmith_callbacks import tracing_only
from egrm_graph.clients.message_metadata import response_id, usage_of
from egrm_graph.clients.wrappers import EXTRA, SEEDS, changed, models_in
from egrm_graph.errors import MissingExtra, ServerError, SettingsError, SetupError, Unsupported
from egrm_graph.verification import Message, Usage

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.runnables import Runnable, RunnableConfig

NOSTREAM = "nostream"
"""LangGraph's tag for model calls that are no part of a graph's token stream."""
OTHER_NAMES = {"repetition_penalty": "repeat_penalty"}
MAX_TOKENS = ("max_tokens", "max_output_tokens", "max_completion_tokens", "num_predict", "max_new_tokens")


class ChatModelClient:
    """A LangChain chat model, called once for each seed.

    Sampling reaches the model through the fields that its class declares (`temperature`, `top_p`, and whatever it calls
    its seed and its maximum of tokens), set on a copy for each call. Unlike call arguments, which many models refuse,
    fields work with all of them. Where such a value was bound (`model.bind(temperature=...)`) or is in `model_kwargs`
    or `extra_body`, it is replaced there, too. What a model does not take is left to it, and so are thinking and what
    is not set. A temperature is required: without one, the samples could all be the same. A `top_p`, `top_k`, `min_p`,
    or penalty that is set and has no place is refused when the graph is built. Stop texts are a call argument, which
    LangChain has for every model.

    The model may be wrapped by `bind`, `with_config`, `with_retry`, `with_fallbacks`, or `configurable_fields`.
    LangChain's response cache is off for all calls. A model without a seed gets the same request for every sample, so
    no run can be repeated, and a cache between here and the provider has to be off. A response that comes twice is lost
    where its id gives it away.

    A text whose finish reason is not known to be a clean end has no answer (see `egrm_graph.clients.finish`). Where a
    model gives no finish reason, a text that has as many tokens as were asked for at most counts as cut off, and any
    other as complete: set the model up to give its finish reason or its usage, or a text that was cut off can pass.

    Retries are the model's own (`max_retries`), and so are its connections: `aclose` leaves them open. Tokens are
    counted when an answer is complete, not before. The calls take no part in a host graph's callbacks or streams; in
    LangSmith, they are runs within their node's.

    Raises:
        SettingsError: it is not a chat model, or its temperature cannot be set.
    """

    engine = "chat_model"

    def __init__(self, model: Runnable[Any, Any] | str) -> None:
        self._model = _initialised(model) if isinstance(model, str) else model
        self._models = models_in(self._model)
        for each, bound in self._models:
            _refuse_untempered(each, bound)
        self._first, _ = self._models[0]

    @property
    def name(self) -> str:
        named = (getattr(self._first, field, None) for field in ("model_name", "model", "model_id"))
        return next((name for name in named if isinstance(name, str) and name), type(self._first).__name__)

    @property
    def gives_logprobs(self) -> bool:
        return False

    @property
    def sampling_options(self) -> Collection[str]:
        """Those for which every model behind the wrappers has a place."""
        places = [_places(model, bound) for model, bound in self._models]
        return [name for name in OPTIONS if all(_spellings(name) & each for each in places)]

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,
        meter: Meter | None = None,
    ) -> Completions:
        """One completion for each seed, one request each. One that fails among others that do not is an `abort` with
        its reason."""
        _refuse_unsupported(sampling, self.name)
        meter = meter or Meter()
        models = [_configured(self._model, sampling, seed) for seed in seeds]
        calls = [
            self._one(model, prompt, sampling, f"{request_id}.{index}", meter) for index, model in enumerate(models)
        ]
        outcomes = await asyncio.gather(*calls)
        errors = [outcome for outcome in outcomes if isinstance(outcome, ServerError)]
        if errors and len(errors) == len(outcomes):
            raise errors[0]
        return Completions(
            completions=tuple(_lost(each) if isinstance(each, ServerError) else each[0] for each in outcomes),
            usage=add_usage(*(_requested() if isinstance(each, ServerError) else each[1] for each in outcomes)),
        )

    async def label_logprobs(
        self,
        prompt: Sequence[Message],  # noqa: ARG002
        labels: Sequence[str],  # noqa: ARG002
        *,
        request_id: str,  # noqa: ARG002
    ) -> LabelLogprobs:
        raise Unsupported(f"LangChain chat models such as {self.name} give no log-probabilities; use a vLLM server")

    async def check(self) -> None:
        """Does nothing: LangChain has no way to ask a model whether it is there, short of paying for an answer."""

    async def aclose(self) -> None:
        """Does nothing: the model belongs to whoever made it."""

    async def _one(
        self, model: Runnable[Any, Any], prompt: Sequence[Message], sampling: Sampling, run_name: str, meter: Meter
    ) -> tuple[Completion, Usage] | ServerError:
        try:
            config: RunnableConfig = {"callbacks": tracing_only(), "tags": [NOSTREAM], "run_name": run_name}
            message = await _answered(model, prompt, sampling.stop, config)
            completion = stopped(_completion(message, self._most_tokens(sampling)), sampling.stop)
            usage = _usage(message)
        except Exception as error:
            failure = ServerError(f"{self.name} failed: {type(error).__name__}: {error}")
            failure.__cause__ = error
            return failure
        meter.add(usage["completion_tokens"])
        return completion, usage

    def _most_tokens(self, sampling: Sampling) -> int | None:
        """Completion tokens at most; None where a model has no place for the bound."""
        bounded = all(_places(model, bound) & set(MAX_TOKENS) for model, bound in self._models)
        return sampling.max_tokens if bounded else None


def _initialised(name: str) -> BaseChatModel:
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as error:
        raise MissingExtra(
            f"The model {name!r} needs langchain, which is not installed. Install it: pip install 'egrm-graph[agents]'",
            "agents",
        ) from error
    try:
        return init_chat_model(name)
    except Exception as error:  # a provider's package, its key or its name: each says what it lacks
        raise SetupError(f"LangChain cannot make the model {name!r}: {error}") from error


def _refuse_unsupported(sampling: Sampling, name: str) -> None:
    if sampling.logprobs:
        raise Unsupported(f"LangChain chat models such as {name} give no log-probabilities; use a vLLM server")
    if sampling.choices:
        raise Unsupported(
            f"LangChain chat models such as {name} cannot be held to a choice of texts; use a vLLM server"
        )
    if sampling.thinking_tokens is not None:
        raise Unsupported(
            f"thinking_tokens={sampling.thinking_tokens} cannot be passed to LangChain chat models such as {name}; "
            "set its thinking budget where you make the model"
        )


def _refuse_untempered(model: BaseChatModel, bound: frozenset[str]) -> None:
    if "temperature" not in _places(model, bound):
        name = type(model).__name__
        raise SettingsError(
            f"{name} declares no field `temperature`, so its samples could all be the same; if its calls take "
            "a temperature, give `model.bind(temperature=1.0)`, and the graph replaces the value with its own"
        )


def _configured(runnable: Runnable[Any, Any], sampling: Sampling, seed: int) -> Runnable[Any, Any]:
    """A copy of the model, on the same connections, with those values of the sampling that it has a place for."""
    values: dict[str, Any] = {"temperature": sampling.temperature}
    given = {option: value for option in OPTIONS if (value := getattr(sampling, option)) is not None}
    values |= {name: value for option, value in given.items() for name in _spellings(option)}
    values |= dict.fromkeys(SEEDS, seed) | dict.fromkeys(MAX_TOKENS, sampling.max_tokens)

    def rebound(arguments: Mapping[str, Any]) -> dict[str, Any]:
        own = {name: values.get(name, value) for name, value in arguments.items()}
        return {name: value for name, value in own.items() if name != "top_p" or value < 1}

    def copied(model: BaseChatModel, bound: frozenset[str]) -> BaseChatModel:
        _refuse_untempered(model, bound)  # a run can configure another model than the one that was checked
        fields = type(model).model_fields
        update = {name: value for name, value in values.items() if name in fields and name not in MAX_TOKENS}
        # 1 is no nucleus, and several models refuse it next to a temperature
        if "top_p" in fields and sampling.top_p == 1:
            update["top_p"] = fields["top_p"].default
        if (limit := next((name for name in MAX_TOKENS if name in fields), None)) is not None:
            update[limit] = sampling.max_tokens
        for name in EXTRA:
            if isinstance(extra := getattr(model, name, None), Mapping):
                update[name] = rebound(extra)
        return model.model_copy(update={**update, "cache": False})

    return changed(runnable, copied, rebound)


def _spellings(option: str) -> set[str]:
    """What models call an option of the sampling."""
    return set() if option == "thinking_tokens" else {option, OTHER_NAMES.get(option, option)}


def _places(model: BaseChatModel, bound: frozenset[str]) -> set[str]:
    """The names under which values reach the model: its fields, and what is sent besides them."""
    extra = (getattr(model, name, None) for name in EXTRA)
    return {*type(model).model_fields, *bound, *(name for each in extra if isinstance(each, Mapping) for name in each)}


async def _answered(
    model: Runnable[Any, Any], prompt: Sequence[Message], stop: Sequence[str], config: RunnableConfig
) -> AIMessage:
    """The model's answer; one that refuses stop texts is asked again without, and its answer is cut at them later."""
    messages = [dict(each) for each in prompt]
    try:
        message: AIMessage = await model.ainvoke(messages, config, **({"stop": list(stop)} if stop else {}))
    except Exception as error:
        if not stop or "stop" not in str(error).lower():
            raise
        message = await model.ainvoke(messages, config)
    return message


def _completion(message: AIMessage, most_tokens: int | None) -> Completion:
    thoughts = [str(block.get("reasoning", "")) for block in message.content_blocks if block["type"] == "reasoning"]
    usage = usage_of(message)
    finish = _finish(message, most_tokens)
    return Completion(
        text=str(message.text),
        finish_reason=finish.reason,
        n_tokens=usage["output_tokens"] or None if usage else None,
        thinking="".join(thoughts) or None,
        error=finish.error,
        response_id=response_id(message),
    )


def _finish(message: AIMessage, most_tokens: int | None) -> Finish:
    """How the text ended. Many models give no reason: then it counts as cut off where it has all the tokens that it
    could have, and else as complete."""
    refusals = [block for block in message.content if isinstance(block, dict) and block.get("type") == "refusal"]
    told = read_finish(message.response_metadata, message.additional_kwargs, *refusals)
    if told is not None:
        return told
    usage = usage_of(message)
    cut = usage is not None and most_tokens is not None and usage["output_tokens"] >= most_tokens
    return Finish("truncated" if cut else "complete", "no finish reason was given")


def _usage(message: AIMessage) -> Usage:
    told = usage_of(message)
    if told is None:
        return _requested()
    return Usage(
        requests=1,
        prompt_tokens=told["input_tokens"],
        cached_tokens=told.get("input_token_details", {}).get("cache_read", 0),
        completion_tokens=told["output_tokens"],
        cancelled_tokens=0,
    )


def _requested() -> Usage:
    return Usage(requests=1, prompt_tokens=0, cached_tokens=0, completion_tokens=0, cancelled_tokens=0)


def _lost(error: ServerError) -> Completion:
    return Completion("", "abort", None, error=str(error))
