"""Any LangChain chat model as a client, for models that have no OpenAI-style API."""

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
"""LangGraph's tag for model calls whose tokens are not in a graph's stream."""
OTHER_NAMES = {"repetition_penalty": "repeat_penalty"}
MAX_TOKENS = ("max_tokens", "max_output_tokens", "max_completion_tokens", "num_predict", "max_new_tokens")


class ChatModelClient:
    """A LangChain chat model, called once per seed.

    Sampling options are set on a copy of the model for each call, in the fields that its class declares: `temperature`,
    `top_p`, and its own names for the seed and the maximum number of tokens. Many models refuse call arguments, but all
    accept fields. An option that was bound (`model.bind(temperature=...)`), or is in `model_kwargs` or `extra_body`, is
    replaced there, too. Options without a field, options that are not set, and thinking are left to the model. A
    temperature is required: without one, all samples could be the same. `build_graph` refuses a `top_p`, `top_k`,
    `min_p`, or penalty that is set and has no field. Stop texts are a call argument, which LangChain has for every
    model.

    The model may be wrapped by `bind`, `with_config`, `with_retry`, `with_fallbacks`, or `configurable_fields`. All
    calls bypass LangChain's response cache. A model without a seed gets the same request for every sample, so runs
    cannot be repeated, and any other cache before the provider has to be off. A response that comes twice is lost if
    its id shows it.

    A text has no answer if its finish reason is not known to be a clean end (see `egrm_graph.clients.finish`). If a
    model gives no finish reason, a text with the maximum of tokens counts as cut off, and any other as complete. A text
    that was cut off can then pass, so make the model give its finish reason or its usage.

    The model keeps its own retries (`max_retries`) and its connections, which `aclose` leaves open. Tokens are counted
    only when an answer is complete. The calls do not appear in a host graph's callbacks or streams. In LangSmith, they
    are runs within their node's run.

    Raises:
        SettingsError: it is not a chat model, or its temperature cannot be set.
    """

    engine = "chat_model"

    def __init__(self, model: Runnable[Any, Any] | str) -> None:
        self._model = _initialized(model) if isinstance(model, str) else model
        self._models = models_in(self._model)
        for inner, bound in self._models:
            _refuse_untempered(inner, bound)
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
        """The options for which every model behind the wrappers has a field."""
        places = [_places(model, bound) for model, bound in self._models]
        return [name for name in OPTIONS if all(_model_names(name) & fields for fields in places)]

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,
        meter: Meter | None = None,
    ) -> Completions:
        """One completion per seed, from one request each. A failed one is an `abort` with a reason, unless all fail."""
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
            completions=tuple(_lost(found) if isinstance(found, ServerError) else found[0] for found in outcomes),
            usage=add_usage(*(_requested() if isinstance(found, ServerError) else found[1] for found in outcomes)),
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
        """Does nothing: LangChain can only check a model by paying for an answer."""

    async def aclose(self) -> None:
        """Does nothing: whoever made the model closes it."""

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
        """The maximum of completion tokens; None if a model has no field for it."""
        bounded = all(_places(model, bound) & set(MAX_TOKENS) for model, bound in self._models)
        return sampling.max_tokens if bounded else None


def _initialized(name: str) -> BaseChatModel:
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as error:
        raise MissingExtra(
            f"The model {name!r} needs langchain, which is not installed. Install it: pip install 'egrm-graph[agents]'",
            "agents",
        ) from error
    try:
        return init_chat_model(name)
    except Exception as error:  # a missing package, key, or name: the message says which
        raise SetupError(f"LangChain cannot make the model {name!r}: {error}") from error


def _refuse_unsupported(sampling: Sampling, name: str) -> None:
    if sampling.logprobs:
        raise Unsupported(f"LangChain chat models such as {name} give no log-probabilities; use a vLLM server")
    if sampling.choices or sampling.pattern:
        to = "a choice of texts" if sampling.choices else "a pattern"
        raise Unsupported(f"LangChain chat models such as {name} cannot be restricted to {to}; use a vLLM server")
    if sampling.thinking_tokens is not None:
        raise Unsupported(
            f"thinking_tokens={sampling.thinking_tokens} cannot be passed to LangChain chat models such as {name}; "
            "set the thinking budget where you create the model"
        )


def _refuse_untempered(model: BaseChatModel, bound: frozenset[str]) -> None:
    if "temperature" not in _places(model, bound):
        name = type(model).__name__
        raise SettingsError(
            f"{name} declares no field `temperature`, so its samples could all be the same. If its calls take "
            "a temperature, pass `model.bind(temperature=1.0)`, and the graph replaces the value"
        )


def _configured(runnable: Runnable[Any, Any], sampling: Sampling, seed: int) -> Runnable[Any, Any]:
    """A copy of the model, on the same connections, with the sampling options that it has fields for."""
    values: dict[str, Any] = {"temperature": sampling.temperature}
    options = {option: value for option in OPTIONS if (value := getattr(sampling, option)) is not None}
    values |= {name: value for option, value in options.items() for name in _model_names(option)}
    values |= dict.fromkeys(SEEDS, seed) | dict.fromkeys(MAX_TOKENS, sampling.max_tokens)

    def rebound(arguments: Mapping[str, Any]) -> dict[str, Any]:
        own = {name: values.get(name, value) for name, value in arguments.items()}
        return {name: value for name, value in own.items() if name != "top_p" or value < 1}

    def copied(model: BaseChatModel, bound: frozenset[str]) -> BaseChatModel:
        _refuse_untempered(model, bound)  # a run can configure a model that has not been checked
        fields = type(model).model_fields
        update = {name: value for name, value in values.items() if name in fields and name not in MAX_TOKENS}
        # 1 changes nothing, and several models refuse it together with a temperature
        if "top_p" in fields and sampling.top_p == 1:
            update["top_p"] = fields["top_p"].default
        if (limit := next((name for name in MAX_TOKENS if name in fields), None)) is not None:
            update[limit] = sampling.max_tokens
        for name in EXTRA:
            if isinstance(extra := getattr(model, name, None), Mapping):
                update[name] = rebound(extra)
        return model.model_copy(update={**update, "cache": False})

    return changed(runnable, copied, rebound)


def _model_names(option: str) -> set[str]:
    """The names that models have for a sampling option."""
    return set() if option == "thinking_tokens" else {option, OTHER_NAMES.get(option, option)}


def _places(model: BaseChatModel, bound: frozenset[str]) -> set[str]:
    """The names under which values reach the model: its fields, and those of extra values."""
    extras = (getattr(model, name, None) for name in EXTRA)
    return {*type(model).model_fields, *bound, *(name for more in extras if isinstance(more, Mapping) for name in more)}


async def _answered(
    model: Runnable[Any, Any], prompt: Sequence[Message], stop: Sequence[str], config: RunnableConfig
) -> AIMessage:
    """The model's answer. If the model refuses stop texts, calls it again without them; the answer is cut later."""
    messages = [dict(message) for message in prompt]
    try:
        answer: AIMessage = await model.ainvoke(messages, config, **({"stop": list(stop)} if stop else {}))
    except Exception as error:
        if not stop or "stop" not in str(error).lower():
            raise
        answer = await model.ainvoke(messages, config)
    return answer


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
    """How the text ended. Without a reason, a text with the maximum of tokens counts as cut off."""
    refusals = [block for block in message.content if isinstance(block, dict) and block.get("type") == "refusal"]
    finish = read_finish(message.response_metadata, message.additional_kwargs, *refusals)
    if finish is not None:
        return finish
    usage = usage_of(message)
    cut = usage is not None and most_tokens is not None and usage["output_tokens"] >= most_tokens
    return Finish("truncated" if cut else "complete", "no finish reason was given")


def _usage(message: AIMessage) -> Usage:
    usage = usage_of(message)
    if usage is None:
        return _requested()
    return Usage(
        requests=1,
        prompt_tokens=usage["input_tokens"],
        cached_tokens=usage.get("input_token_details", {}).get("cache_read", 0),
        completion_tokens=usage["output_tokens"],
        cancelled_tokens=0,
    )


def _requested() -> Usage:
    return Usage(requests=1, prompt_tokens=0, cached_tokens=0, completion_tokens=0, cancelled_tokens=0)


def _lost(error: ServerError) -> Completion:
    return Completion("", "abort", None, error=str(error))
