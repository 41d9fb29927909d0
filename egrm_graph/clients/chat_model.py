"""Any LangChain chat model as a client: for models that are reached no other way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from egrm_graph.clients.callbacks import tracing_only
from egrm_graph.clients.client import Completion, Completions, FinishReason, LabelLogprobs, Meter, Sampling, add_usage
from egrm_graph.errors import ServerError, SetupError, Unsupported
from egrm_graph.verification import Message, Usage

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage

NOSTREAM = "nostream"
"""LangGraph's tag for model calls that are no part of a graph's token stream."""
MAX_TOKENS = ("max_tokens", "max_output_tokens", "max_completion_tokens", "num_predict", "max_new_tokens")
CUT = {"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"}
WITHHELD = {"content_filter", "safety", "prohibited_content", "recitation", "blocklist", "spii", "refusal", "error"}


class ChatModelClient:
    """A LangChain chat model, called once for each seed.

    Sampling reaches the model through the fields that its class declares (`temperature`, `top_p`, `seed` and whatever
    it calls its maximum of tokens), set on a copy for each call: unlike call arguments, which many models refuse,
    fields work with all of them. What a class does not declare is left to the model, and so is thinking. Where there
    is no `seed`, no run can be repeated.

    Retries are the model's own (`max_retries`), and so are its connections: `aclose` leaves them open. Tokens are
    counted when an answer is complete, not before. The calls take no part in a host graph's callbacks or streams; in
    LangSmith, they are runs within their node's.
    """

    engine = "chat_model"

    def __init__(self, model: BaseChatModel | str) -> None:
        self._model = _initialised(model) if isinstance(model, str) else model

    @property
    def name(self) -> str:
        named = (getattr(self._model, field, None) for field in ("model_name", "model", "model_id"))
        return next((name for name in named if isinstance(name, str) and name), type(self._model).__name__)

    @property
    def gives_logprobs(self) -> bool:
        return False

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
        calls = [self._one(prompt, sampling, seed, f"{request_id}.{index}", meter) for index, seed in enumerate(seeds)]
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
        self, prompt: Sequence[Message], sampling: Sampling, seed: int, run_name: str, meter: Meter
    ) -> tuple[Completion, Usage] | ServerError:
        try:
            message = await _configured(self._model, sampling, seed).ainvoke(
                [dict(each) for each in prompt],
                config={"callbacks": tracing_only(), "tags": [NOSTREAM], "run_name": run_name},
            )
            completion, usage = _completion(message), _usage(message)
        except Exception as error:
            failure = ServerError(f"{self.name} failed: {type(error).__name__}: {error}")
            failure.__cause__ = error
            return failure
        meter.add(usage["completion_tokens"])
        return completion, usage


def _initialised(name: str) -> BaseChatModel:
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as error:
        raise SetupError(f"the model {name!r} is made by LangChain, which is missing: pip install langchain") from error
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


def _configured(model: BaseChatModel, sampling: Sampling, seed: int) -> BaseChatModel:
    """A copy of the model, on the same connections, with those values of the sampling that its class has fields for."""
    fields = type(model).model_fields
    values: dict[str, Any] = {"temperature": sampling.temperature, "seed": seed}
    # 1 is no nucleus, and several models refuse it beside a temperature
    values["top_p"] = sampling.top_p if sampling.top_p < 1 or "top_p" not in fields else fields["top_p"].default
    for name in MAX_TOKENS:
        if name in fields:
            values[name] = sampling.max_tokens
            break
    return model.model_copy(update={name: value for name, value in values.items() if name in fields})


def _completion(message: AIMessage) -> Completion:
    thoughts = [str(block.get("reasoning", "")) for block in message.content_blocks if block["type"] == "reasoning"]
    usage = message.usage_metadata
    reason = _finish_reason(message.response_metadata)
    return Completion(
        text=str(message.text),
        finish_reason=reason,
        n_tokens=usage["output_tokens"] if usage else None,
        thinking="".join(thoughts) or None,
        error="the provider withheld the answer" if reason == "abort" else None,
    )


def _finish_reason(metadata: Mapping[str, Any]) -> FinishReason:
    """Each provider has its own key and words; a text without a reason counts as complete."""
    given = next((metadata[key] for key in ("finish_reason", "stop_reason", "done_reason") if metadata.get(key)), "")
    word = str(given).lower()
    if word in CUT:
        return "length"
    return "abort" if word in WITHHELD else "stop"


def _usage(message: AIMessage) -> Usage:
    given = message.usage_metadata
    if given is None:
        return _requested()
    return Usage(
        requests=1,
        prompt_tokens=given["input_tokens"],
        cached_tokens=given.get("input_token_details", {}).get("cache_read", 0),
        completion_tokens=given["output_tokens"],
        cancelled_tokens=0,
    )


def _requested() -> Usage:
    return Usage(requests=1, prompt_tokens=0, cached_tokens=0, completion_tokens=0, cancelled_tokens=0)


def _lost(error: ServerError) -> Completion:
    return Completion("", "abort", None, error=str(error))
