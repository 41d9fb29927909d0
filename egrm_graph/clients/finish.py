"""Reads why a text ended, in the words of any provider and wherever it puts them.

There are four kinds: `complete`, `truncated` (there is more that was not generated), `blocked` (a filter or the model
itself withheld the answer), and `failed`. Only a word that is known to mean a clean end is `complete`; a word that is
not listed here is `failed`, and its error quotes it. Where several keys speak, the worst of them counts.

The words are those of OpenAI (chat and Responses), Azure, Anthropic, Bedrock, Google (GenAI and Vertex), Mistral,
Cohere, Ollama, Groq, Together, DeepSeek, xAI, Hugging Face, watsonx, Zhipu, Qianfan, vLLM, SGLang, llama.cpp, and
TensorRT-LLM.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from egrm_graph.clients.client import FinishReason

Kind = Literal["complete", "truncated", "blocked", "failed"]

_WORDS: dict[Kind, str] = {
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
_REASONS: dict[Kind, FinishReason] = {"complete": "stop", "truncated": "length", "blocked": "abort", "failed": "abort"}
_WORST_FIRST: tuple[Kind, ...] = ("blocked", "failed", "truncated", "complete")
_REASON_KEYS = ("finishreason", "finishreasons", "stopreason", "donereason", "completionreason", "stoptype")
_ABSENT = {"", "none"}


@dataclass(frozen=True)
class Finish:
    """How a text ended, and the provider's word for it."""

    kind: Kind
    said: str
    known: bool = True
    """False where `said` is a word that nobody is known to use."""

    @property
    def reason(self) -> FinishReason:
        """The kind as a completion has it."""
        return _REASONS[self.kind]

    @property
    def error(self) -> str | None:
        """Why the text cannot be used; None where it can, if only in part."""
        if self.reason != "abort":
            return None
        if self.known:
            return f"the answer {'was withheld' if self.kind == 'blocked' else 'broke off'}: {self.said}"
        return f"the finish reason {self.said} is unknown, so the text may not be whole"


UNSAID = Finish("failed", "no finish reason was given")


def read_finish(*told: Mapping[str, Any]) -> Finish | None:
    """The worst of what these parts of an answer say; None where they say nothing."""
    found = [finish for part in told for finish in _read(part)]
    return min(found, key=lambda finish: _WORST_FIRST.index(finish.kind), default=None)


def _read(told: Mapping[str, Any]) -> Iterator[Finish]:
    named: dict[str, Any] = {}
    reasons: dict[str, list[Finish]] = {key: [] for key in _REASON_KEYS}
    for name, value in told.items():
        key = _letters(str(name))
        named[key] = value
        if key in reasons:
            reasons[key] += _finishes(value)
    if reasons["finishreason"]:
        # vLLM puts the stop string or token here, which can be any text.
        reasons["stopreason"] = [finish for finish in reasons["stopreason"] if finish.known]
    given = [finish for finishes in reasons.values() for finish in finishes]
    yield from _details(named)
    yield from given
    if isinstance(status := named.get("status"), str):  # which others use for the state of something else
        yield from (finish for finish in _finishes(status) if finish.known or not given)


def _details(named: Mapping[str, Any]) -> Iterator[Finish]:
    """What is said in places that are empty after a clean end; it says more than the reason does."""
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
    """The words in a value: a text, an enum's name, or an object or list that holds one."""
    if isinstance(value, Mapping) and value:
        return _words(next((each for key in ("type", "reason") for each in _part(value, key) if each), str(value)))
    if isinstance(value, list | tuple):
        return [word for each in value for word in _words(each)]
    word = value.name if isinstance(value, Enum) else str(value)
    return [] if value in (None, {}) or word.strip().lower() in _ABSENT else [word]


def _part(value: Mapping[Any, Any], name: str) -> list[Any]:
    return [value[key] for key in value if _letters(str(key)) == name]


def _kind(word: str) -> Kind | None:
    """Case, separators, and the prefix of an enum do not count. LangChain joins the words of a stream's last chunks,
    so that `stop` may come as `stopstop`."""
    letters = _letters(word.rpartition(".")[2]).removeprefix("reason")
    repeated = re.fullmatch(r"(.+?)\1+", letters)
    return _KINDS.get(letters) or (_KINDS.get(repeated[1]) if repeated else None)


def _letters(word: str) -> str:
    return re.sub(r"[\W_]", "", word).lower()


def _quoted(text: str, most: int = 200) -> str:
    text = " ".join(text.split())
    return repr(text if len(text) <= most else f"{text[:most]}...")


_KINDS: dict[str, Kind] = {_letters(word): kind for kind, words in _WORDS.items() for word in words.split()}
