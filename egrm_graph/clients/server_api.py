"""What each kind of server accepts in addition to the standard fields of the OpenAI API.

The client is the same for all of them. Add a kind by adding a value here and an engine in `engines`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from egrm_graph.clients.client import OPTIONS

Extension = Literal[
    "structured_outputs", "chat_template_kwargs", "logprob_token_ids", "continue_final_message", "token_prompts"
]
"""A request field outside the OpenAI API that the client uses without being asked to. `token_prompts` are prompts of
token ids, with the routes that give ids and texts of tokens."""


@dataclass(frozen=True)
class ServerApi:
    """One kind of server: which fields it takes, and what its error messages suggest."""

    engine: str
    """The engine that talks to this kind of server."""
    defaults: Mapping[str, Any]
    """Fields of every request. A setting that is not sent is left to the server."""
    extensions: frozenset[Extension]
    """The nonstandard fields that it takes."""
    options: tuple[str, ...]
    """The optional fields of `Sampling` that can be sent if they are set."""
    chat_limit: Literal["max_tokens", "max_completion_tokens"]
    """The field with the maximum of completion tokens on the chat route, unless the server refuses it."""
    stream_options: Mapping[str, bool]
    """What a streamed request asks for."""
    counts_seeds_up: bool
    """Whether the n completions of one request get the seeds `seed`, `seed + 1`, and so on."""
    start_hint: str
    """What to do if no server answers; may name the `{model}`."""
    logprobs_hint: str = ""
    """How to get the log-probabilities of `{asked}` tokens, in addition to asking for fewer."""


VLLM_NEUTRAL: Mapping[str, Any] = {
    "top_k": 0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
"""Sampling options that change nothing. vLLM takes what is not sent from the model's `generation_config.json`."""

VLLM = ServerApi(
    engine="vllm",
    defaults={**VLLM_NEUTRAL, "stop": [], "return_token_ids": True},
    extensions=frozenset(
        {"structured_outputs", "chat_template_kwargs", "logprob_token_ids", "continue_final_message", "token_prompts"}
    ),
    options=OPTIONS,
    chat_limit="max_completion_tokens",
    stream_options={"include_usage": True, "continuous_usage_stats": True},
    counts_seeds_up=True,
    start_hint="start one with `egrm serve-model {model}` or pass --base-url",
    logprobs_hint=" or start vLLM with `--max-logprobs {asked}`",
)
"""vLLM 0.32."""

OPENAI = ServerApi(
    engine="openai",
    defaults={},
    extensions=frozenset({"chat_template_kwargs"}),  # SGLang, llama.cpp, and vLLM take it; it is dropped once refused
    options=tuple(name for name in OPTIONS if name != "thinking_tokens"),
    chat_limit="max_tokens",  # Ollama ignores the newer `max_completion_tokens` without an error
    stream_options={"include_usage": True},
    counts_seeds_up=False,
    start_hint="start it, or set base_url (--base-url) to the address of a server that runs",
)
"""Any server with an OpenAI-style API: SGLang, llama.cpp, LM Studio, Ollama, or a hosted one.

The API has no field that turns thinking off. `thinking="off"` sends `chat_template_kwargs`, which some of these servers
know, until the server refuses it. If a model then still thinks, turn thinking off on the server.
"""
