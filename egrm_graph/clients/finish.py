"""Reads why a text ended, in the words and the keys of any provider.

There are four kinds: `complete`, `truncated` (the text is not finished), `blocked` (a filter or the model withheld the
answer), and `failed`. Only a word that is known to mean a clean end is `complete`. A word that is not listed here is
`failed`, and its error quotes it. If several keys give a reason, the worst counts.

The words are from OpenAI (chat and Responses), Azure, Anthropic, Bedrock, Google (GenAI and Vertex), Mistral,
Cohere, Ollama, Groq, Together, DeepSeek, xAI, Hugging Face, watsonx, Zhipu, Qianfan, vLLM, SGLang, llama.cpp, and
TensorRT-LLM.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Literal

from egrm_graph.clients.client import FinishReason

FinishKind = Literal["complete", "truncated", "blocked", "failed"]

_WORDS: dict[FinishKind, str] = {
    "complete": """
        stop eos eos_token end_of_text end_turn end_of_turn end_id stop_sequence stop_string stop_words
        stop_criteria_met complete completed done finish finished success succeeded normal
        tool_call tool_calls tool_use function_call function_calls""",
    "truncated": """
        length max_tokens max_output_tokens max_completion_tokens max_new_tokens max_length max_len max_output
        max_context model_length model_context_window_exceeded context_length_exceeded token_limit limit error_limit
        time_limit truncated incomplete in_progress queued null not_finished pause_turn compaction repetition""",
    "blocked": """
        content_filter content_filtered filtered safety image_safety prohibited_content image_prohibited_content
        recitation image_recitation blocklist spii language refusal guardrail_intervened error_toxic sensitive
        model_armor moderation jailbreak flagged blocked content_policy_violation""",
    "failed": """
        error abort aborted cancel canceled cancelled user_cancel fail failed failure other unknown unspecified
        finish_reason_unspecified timeout timed_out network_error insufficient_system_resource expired load unload
        malformed_function_call malformed_model_output malformed_response malformed_tool_use unexpected_tool_call
        too_many_tool_calls missing_thought_signature no_image image_other""",
}
_REASONS: dict[FinishKind, FinishReason] = {
    "complete": "stop",
    "truncated": "length",
    "blocked": "abort",
    "failed": "abort",
}
_WORST_FIRST: tuple[FinishKind, ...] = ("blocked", "failed", "truncated", "complete")
_REASON_KEYS = ("finishreason", "finishreasons", "stopreason", "donereason", "completionreason", "stoptype")
_ABSENT = {"", "none"}


@dataclass(frozen=True)
class Finish:
    """How a text ended, and the provider's word for it."""

    kind: FinishKind
    said: str
    known: bool = True
    """False if `said` is not listed here."""

    @property
    def reason(self) -> FinishReason:
        """The kind, in the words of `Completion.finish_reason`."""
        return _REASONS[self.kind]

    @property
    def error(self) -> str | None:
        """Why the text cannot be used; None if it can, at least in part."""
        if self.reason != "abort":
            return None
        if self.known:
            return f"the answer {'was withheld' if self.kind == 'blocked' else 'broke off'}: {self.said}"
        return f"the finish reason {self.said} is unknown, so the text may be incomplete"


UNSAID = Finish("failed", "no finish reason was given")


def read_finish(*parts: Mapping[str, Any]) -> Finish | None:
    """The worst reason that these parts of an answer give; None if they give none."""
    found = [finish for part in parts for finish in _read(part)]
    return min(found, key=lambda finish: _WORST_FIRST.index(finish.kind), default=None)


def _read(part: Mapping[str, Any]) -> Iterator[Finish]:
    named: dict[str, Any] = {}
    reasons: dict[str, list[Finish]] = {key: [] for key in _REASON_KEYS}
    for name, value in part.items():
        key = _letters(str(name))
        named[key] = value
        if key in reasons:
            reasons[key] += _finishes(value)
    if reasons["finishreason"]:
        # vLLM puts the stop text or token here, which can be anything.
        reasons["stopreason"] = [finish for finish in reasons["stopreason"] if finish.known]
    named_reasons = [finish for finishes in reasons.values() for finish in finishes]
    yield from _details(named)
    yield from named_reasons
    if isinstance(status := named.get("status"), str):  # others use it for something else
        yield from (finish for finish in _finishes(status) if finish.known or not named_reasons)


def _details(named: Mapping[str, Any]) -> Iterator[Finish]:
    """Reasons from keys that are empty after a clean end. They say more than the reason does."""
    if (incomplete := named.get("incompletedetails")) is not None:
        yield from list(_finishes(incomplete)) or [Finish("truncated", "incomplete")]
    yield from (finish for finish in _finishes(named.get("stopdetails")) if finish.known)
    feedback = named.get("promptfeedback")
    blocked = [named.get("blockreason"), *(_part(feedback, "blockreason") if isinstance(feedback, Mapping) else ())]
    for block in (word for value in blocked for word in _words(value)):
        if block != "0" and not _letters(block).endswith("unspecified"):
            yield Finish("blocked", repr(block))
    if named.get("isblocked") is True:
        yield Finish("blocked", "is_blocked")
    if isinstance(refusal := named.get("refusal"), str) and refusal.strip():
        yield Finish("blocked", f"refusal {_quoted(refusal)}")
    if named.get("done") is False:
        yield Finish("truncated", "done is false")
    if error := named.get("error"):
        said = error.get("message") or error if isinstance(error, Mapping) else error
        yield Finish("failed", f"error {_quoted(str(said))}")


def _finishes(value: Any) -> Iterator[Finish]:
    for word in _words(value):
        kind = _kind(word)
        yield Finish(kind or "failed", _quoted(word), known=kind is not None)


def _words(value: Any) -> Iterable[str]:
    """The words in a value: a text, an enum's name, or an object or list that contains one."""
    if value is None:
        return []
    if type(value) is str:  # not an enum of texts
        return [] if value.strip().lower() in _ABSENT else [value]
    if isinstance(value, Mapping) and value:
        return _words(next((word for key in ("type", "reason") for word in _part(value, key) if word), str(value)))
    if isinstance(value, list | tuple):
        return [word for item in value for word in _words(item)]
    word = value.name if isinstance(value, Enum) else str(value)
    return [] if value == {} or word.strip().lower() in _ABSENT else [word]


def _part(value: Mapping[Any, Any], name: str) -> list[Any]:
    return [value[key] for key in value if _letters(str(key)) == name]


@lru_cache(maxsize=256)
def _kind(word: str) -> FinishKind | None:
    """The kind that a word means; None for an unknown word.

    Case, separators, and the prefix of an enum do not matter. LangChain joins the words of a stream's last chunks, so
    `stop` may come as `stopstop`.
    """
    letters = _letters(word.rpartition(".")[2]).removeprefix("reason")
    repeated = re.fullmatch(r"(.+?)\1+", letters)
    return _KINDS.get(letters) or (_KINDS.get(repeated[1]) if repeated else None)


@lru_cache(maxsize=256)
def _letters(word: str) -> str:
    return re.sub(r"[\W_]", "", word).lower()


def _quoted(text: str, most: int = 200) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= most else f"{text[:most]}...")


_KINDS: dict[str, FinishKind] = {_letters(word): kind for kind, words in _WORDS.items() for word in words.split()}
