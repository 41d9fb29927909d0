"""The requests to `/v1/chat/completions` and `/v1/completions`; `server_answers` reads the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from egrm_graph.clients.client import OPTIONS, Sampling, prompt_text, started_turn
from egrm_graph.clients.server_api import VLLM, ServerApi
from egrm_graph.errors import Unsupported
from egrm_graph.verification import Message

Endpoint = Literal["chat", "completions"]

FIELD_NAMES = {"thinking_tokens": "thinking_token_budget"}
"""What servers call an option of the sampling, where it is not the option's own name."""


def route(endpoint: Endpoint) -> str:
    return "/chat/completions" if endpoint == "chat" else "/completions"


def sample_body(
    endpoint: Endpoint,
    model: str,
    prompt: Sequence[Message],
    sampling: Sampling,
    seeds: Sequence[int],
    *,
    api: ServerApi = VLLM,
    limit: str | None = None,
    switch: bool = True,
    fill_context: bool = False,
    prompt_ids: Sequence[int] | None = None,
) -> dict[str, Any]:
    """The request for one completion per seed. `prompt_ids` replace the prompt.

    `limit` is the field for the maximum of tokens, if not the API's own. `switch` says whether the server's template
    takes arguments. With `fill_context`, a completion may use all that the context has left.

    Raises:
        Unsupported: the sampling has something that this kind of server does not take.
    """
    _refuse_unsupported(api, sampling)
    body = _common(api, endpoint, model, prompt)
    body[limit or _limit(api, endpoint)] = None if fill_context else sampling.max_tokens
    body |= {"temperature": sampling.temperature, "top_p": sampling.top_p, "n": len(seeds), "seed": seeds[0]}
    body |= {FIELD_NAMES.get(name, name): value for name in OPTIONS if (value := getattr(sampling, name)) is not None}
    if sampling.logprobs:
        body |= _logprobs(endpoint, sampling.logprobs)
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.choices:
        body["structured_outputs"] = {"choice": list(sampling.choices)}
    elif sampling.pattern:
        body["structured_outputs"] = {"regex": sampling.pattern}
    if prompt_ids is not None:  # they come from the template, which switches thinking
        return body | {"prompt": list(prompt_ids), "return_tokens_as_token_ids": True}
    return body | thinking_switch(api, endpoint, sampling.thinking, switch=switch)


def label_body(
    endpoint: Endpoint, model: str, prompt: Sequence[Message], token_ids: Sequence[int], *, switch: bool
) -> dict[str, Any]:
    """The request to vLLM for the next token's log-probability at each of `token_ids`."""
    body = _common(VLLM, endpoint, model, prompt) | {_limit(VLLM, endpoint): 1}
    body |= {"temperature": 1.0, "top_p": 1.0, "n": 1, "seed": 0}
    body |= {"logprobs": True, "top_logprobs": 0} if endpoint == "chat" else {"logprobs": len(token_ids)}
    # Tokens as numbers: two of them may have the same text.
    body |= {"logprob_token_ids": list(token_ids), "return_tokens_as_token_ids": True}
    return body | thinking_switch(VLLM, endpoint, "off", switch=switch)


def _refuse_unsupported(api: ServerApi, sampling: Sampling) -> None:
    for name in OPTIONS:
        if name not in api.options and (value := getattr(sampling, name)) is not None:
            raise Unsupported(f"engine={api.engine!r} takes no {name} ({name}={value}); leave it at None")
    if (sampling.choices or sampling.pattern) and "structured_outputs" not in api.extensions:
        to = "a choice of texts" if sampling.choices else "a pattern"
        raise Unsupported(f"engine={api.engine!r} cannot restrict a completion to {to}; use a vLLM server")


def _common(api: ServerApi, endpoint: Endpoint, model: str, prompt: Sequence[Message]) -> dict[str, Any]:
    messages: dict[str, Any]
    if endpoint == "chat":
        messages = {"messages": list(prompt)}
        if started_turn(prompt):
            messages |= {"continue_final_message": True, "add_generation_prompt": False}
    else:
        messages = {"prompt": prompt_text(prompt, "")}
    return {"model": model, **messages, **api.defaults, "stream": False}


def _limit(api: ServerApi, endpoint: Endpoint) -> str:
    return api.chat_limit if endpoint == "chat" else "max_tokens"


def _logprobs(endpoint: Endpoint, count: int) -> dict[str, Any]:
    if endpoint == "completions":
        return {"logprobs": count}
    return {"logprobs": True, "top_logprobs": count}


def thinking_switch(api: ServerApi, endpoint: Endpoint, thinking: str, *, switch: bool) -> dict[str, Any]:
    """The field that turns thinking on or off; empty if nothing has to be sent. `switch` as in `sample_body`.

    Raises:
        Unsupported: it cannot be turned on without a chat template.
    """
    off_is_sent = switch and endpoint == "chat" and "chat_template_kwargs" in api.extensions
    if thinking == "default" or (thinking == "off" and not off_is_sent):
        return {}
    if endpoint == "completions":
        raise Unsupported("thinking 'on' needs a chat template; set endpoint='chat', or thinking to 'default'")
    # Qwen, GLM and Gemma read the first name, DeepSeek and Granite the second; templates ignore what they do not know.
    return {"chat_template_kwargs": {"enable_thinking": thinking == "on", "thinking": thinking == "on"}}
