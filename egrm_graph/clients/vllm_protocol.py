"""What is sent to vLLM's `/v1/chat/completions` and `/v1/completions`; `vllm_answers` reads what comes back.

Written against vLLM 0.32. Its `n` samples of one request get the seeds `seed`, `seed + 1`, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from egrm_graph.clients.client import Sampling
from egrm_graph.errors import Unsupported
from egrm_graph.verification import Message

Endpoint = Literal["chat", "completions"]

NEUTRAL = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0}
"""What is sent where nothing is set: whatever is not sent, the server takes from the model's generation_config.json."""


def route(endpoint: Endpoint) -> str:
    return "/chat/completions" if endpoint == "chat" else "/completions"


def sample_body(
    endpoint: Endpoint,
    model: str,
    prompt: Sequence[Message],
    sampling: Sampling,
    seeds: Sequence[int],
    *,
    switch: bool,
    whole: bool = False,
) -> dict[str, Any]:
    """The request for one completion a seed.

    `switch` says whether the server's template takes arguments; `whole` asks for all the room that the context has.
    """
    body = _common(endpoint, model, prompt, None if whole else sampling.max_tokens)
    body |= {"temperature": sampling.temperature, "top_p": sampling.top_p, "n": len(seeds), "seed": seeds[0]}
    body |= {name: value for name in NEUTRAL if (value := getattr(sampling, name)) is not None}
    if sampling.logprobs:
        body |= _logprobs(endpoint, sampling.logprobs)
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.choices:
        body["structured_outputs"] = {"choice": list(sampling.choices)}
    if sampling.thinking_tokens is not None:
        body["thinking_token_budget"] = sampling.thinking_tokens
    return body | _thinking(endpoint, sampling.thinking, switch=switch)


def label_body(
    endpoint: Endpoint, model: str, prompt: Sequence[Message], token_ids: Sequence[int], *, switch: bool
) -> dict[str, Any]:
    """The request for the next token's log-probability at each of `token_ids`."""
    body = _common(endpoint, model, prompt, 1)
    body |= {"temperature": 1.0, "top_p": 1.0, "n": 1, "seed": 0}
    body |= {"logprobs": True, "top_logprobs": 0} if endpoint == "chat" else {"logprobs": len(token_ids)}
    # Tokens as numbers: two of them may be spelled the same.
    body |= {"logprob_token_ids": list(token_ids), "return_tokens_as_token_ids": True}
    return body | _thinking(endpoint, "off", switch=switch)


def _common(endpoint: Endpoint, model: str, prompt: Sequence[Message], max_tokens: int | None) -> dict[str, Any]:
    asked: dict[str, Any]
    if endpoint == "chat":
        asked = {"messages": list(prompt), "max_completion_tokens": max_tokens}
    else:
        asked = {"prompt": "".join(message["content"] for message in prompt), "max_tokens": max_tokens}
    return {
        "model": model,
        **asked,
        **NEUTRAL,
        "stop": [],
        "return_token_ids": True,
        "stream": False,
    }


def _logprobs(endpoint: Endpoint, count: int) -> dict[str, Any]:
    if endpoint == "completions":
        return {"logprobs": count}
    return {"logprobs": True, "top_logprobs": count}


def _thinking(endpoint: Endpoint, thinking: str, *, switch: bool) -> dict[str, Any]:
    if thinking == "default" or (thinking == "off" and not (switch and endpoint == "chat")):
        return {}
    if endpoint == "completions":
        raise Unsupported("thinking 'on' needs a chat template; set endpoint='chat', or thinking to 'default'")
    # Qwen, GLM and Gemma read the first name, DeepSeek and Granite the second; templates ignore what they do not know.
    return {"chat_template_kwargs": {"enable_thinking": thinking == "on", "thinking": thinking == "on"}}
