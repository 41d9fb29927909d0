"""What is sent to vLLM's `/v1/chat/completions` and `/v1/completions`, and what is read from their answers.

Written against vLLM 0.32. Its `n` samples of one request get the seeds `seed`, `seed + 1`, ...
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from egrm_graph.clients.client import Completion, FinishReason, Sampling
from egrm_graph.errors import ServerError, Unsupported
from egrm_graph.verification import Message, Usage

Endpoint = Literal["chat", "completions"]

TOP_LOGPROBS_MOST = 20
"""What vLLM allows unless it is started with another `--max-logprobs`."""
_FINISH: dict[str, FinishReason] = {"stop": "stop", "tool_calls": "stop", "length": "length"}


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
    # Whatever is not sent, the server takes from the model's generation_config.json.
    return {
        "model": model,
        **asked,
        "top_k": 0,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "stop": [],
        "return_token_ids": True,
        "stream": False,
    }


def _logprobs(endpoint: Endpoint, count: int) -> dict[str, Any]:
    if endpoint == "completions":
        return {"logprobs": count}
    # The chat route counts the sampled token as one of the most likely, wherever it ranks: one more makes up for it.
    return {"logprobs": True, "top_logprobs": count + 1 if count < TOP_LOGPROBS_MOST else count}


def _thinking(endpoint: Endpoint, thinking: str, *, switch: bool) -> dict[str, Any]:
    if thinking == "default" or (thinking == "off" and not (switch and endpoint == "chat")):
        return {}
    if endpoint == "completions":
        raise Unsupported("thinking 'on' needs a chat template; set endpoint='chat', or thinking to 'default'")
    # Qwen, GLM and Gemma read the first name, DeepSeek and Granite the second; templates ignore what they do not know.
    return {"chat_template_kwargs": {"enable_thinking": thinking == "on", "thinking": thinking == "on"}}


def read_completions(body: Mapping[str, Any], sampling: Sampling, n: int) -> tuple[Completion, ...]:
    """The `n` completions of an answer, in the order of their seeds.

    Raises:
        ServerError: the answer is not what it should be.
    """
    try:
        choices = sorted(body["choices"], key=lambda choice: int(choice["index"]))
        if [choice["index"] for choice in choices] != list(range(n)):
            raise ServerError(f"the server answered with {len(choices)} completions where {n} were asked for")
        alone = body["usage"]["completion_tokens"] if n == 1 else None
        return tuple(_completion(choice, sampling.logprobs, alone) for choice in choices)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServerError(f"the server's answer cannot be read: {type(error).__name__}: {error}") from error


def read_usage(body: Mapping[str, Any]) -> Usage:
    """What an answer says that it cost."""
    usage = body.get("usage") or {}
    return Usage(
        requests=1,
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        cached_tokens=int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or 0),
        cancelled_tokens=0,
    )


def read_label_logprobs(endpoint: Endpoint, body: Mapping[str, Any]) -> dict[int, float]:
    """The log-probability of each token id in the answer to a `label_body`."""
    try:
        logprobs = body["choices"][0]["logprobs"]
        if endpoint == "chat":
            pairs = [(item["token"], item["logprob"]) for item in logprobs["content"][0]["top_logprobs"]]
        else:
            pairs = list(logprobs["top_logprobs"][0].items())
        return {int(token.removeprefix("token_id:")): float(value) for token, value in pairs}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ServerError(f"the server's log-probabilities cannot be read: {type(error).__name__}: {error}") from error


def _completion(choice: Mapping[str, Any], count: int, completion_tokens: int | None) -> Completion:
    message = choice.get("message") or {"content": choice.get("text")}
    token_ids = None if choice.get("token_ids") is None else tuple(choice["token_ids"])
    tokens, chosen, top = _read_logprobs(choice.get("logprobs") or {}, count) if count else (None, None, None)
    return Completion(
        text=message["content"] or "",
        finish_reason=_FINISH.get(choice["finish_reason"], "abort"),
        n_tokens=completion_tokens if token_ids is None else len(token_ids),
        thinking=message.get("reasoning") or message.get("reasoning_content") or None,
        token_ids=token_ids,
        tokens=tokens,
        logprobs=chosen,
        top_logprobs=top,
    )


def _read_logprobs(
    logprobs: Mapping[str, Any], count: int
) -> tuple[tuple[str, ...], tuple[float, ...], tuple[Mapping[str, float], ...]]:
    if "content" in logprobs:
        content = logprobs["content"]
        tokens = tuple(str(item["token"]) for item in content)
        chosen = tuple(float(item["logprob"]) for item in content)
        tops = [[(top["token"], top["logprob"]) for top in item["top_logprobs"]] for item in content]
    else:
        tokens = tuple(map(str, logprobs["tokens"]))
        chosen = tuple(float(value) for value in logprobs["token_logprobs"])
        tops = [list(top.items()) for top in logprobs["top_logprobs"]]
    return tokens, chosen, tuple(_most_likely(pairs, count) for pairs in tops)


def _most_likely(pairs: list[tuple[str, float]], count: int) -> dict[str, float]:
    top: dict[str, float] = {}
    for token, value in sorted(pairs, key=lambda pair: -pair[1])[:count]:
        # Tokens that are spelled the same, such as parts of a character, share one entry.
        top[token] = math.log(math.exp(top[token]) + math.exp(value)) if token in top else float(value)
    return top
