"""What of a record is kept: its level, texts or none, and the caller's own redaction.

Nothing that was handed out to the caller is changed: what differs is copied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

from egrm_graph.records.record import ModelCall, Record
from egrm_graph.verification import Asked, Verification

Redactor = Callable[[str], str]

WITHHELD = "(withheld)"
_SECRET_NAME = re.compile(r"key|token|secret|passw|authori[sz]ation|cookie|credential", re.IGNORECASE)
_AUTHORISATION = re.compile(r"(?i)\b(bearer|basic)\s+[^\s,;'\"]+")
_NOT_THE_CALLERS = ("langgraph_", "checkpoint_", "ls_", "egrm_", "__")


def metadata_of(given: Mapping[str, Any]) -> dict[str, str]:
    """What the caller said of a run; without what LangGraph adds, and without what is named like a secret."""
    return {
        str(name): str(value)[:200]
        for name, value in given.items()
        if _told(str(name)) and isinstance(value, str | int | float)
    }


@lru_cache(maxsize=1000)
def _told(name: str) -> bool:
    return not name.startswith(_NOT_THE_CALLERS) and not _SECRET_NAME.search(name)


def scrubbed(text: str, secret: str) -> str:
    """An error's text without the API key and without any authorisation, whatever server echoes them."""
    return _AUTHORISATION.sub(r"\1 ***", text.replace(secret, "***") if secret else text)


def without_secrets(record: Record, secret: str) -> Record:
    """Every error's text `scrubbed`, wherever it is told."""

    def clean(text: str) -> str:
        return scrubbed(text, secret)

    told: Any = record["verification"]
    if told is not None:
        readings = [{**reading, "error": _maybe(reading["error"], clean)} for reading in told["readings"]]
        told = {**told, "reasons": [clean(reason) for reason in told["reasons"]], "readings": readings}
        told = _drawn(told, lambda sample: {**sample, **_errors(sample, clean)})
    return {
        **record,
        "nodes": [{**node, "reasons": [clean(why) for why in node["reasons"]]} for node in record["nodes"]],
        "calls": [_failures(call, clean) for call in record["calls"]],
        "verification": told,
    }


def summarised(record: Record) -> Record:
    """Without prompts, and without texts and tokens of samples and paths."""
    return {
        **record,
        "level": "summary",
        "prompts": [],
        "calls": [_tokenless({**call, "prompt": None}) for call in record["calls"]],
        "verification": _drawn(record["verification"], _textless),
    }


def redacted(record: Record, redact: Redactor) -> Record:
    """Every text as `redact` lets it through. Tokens would tell a text bit by bit, and are left out."""
    return _rewritten(record, redact, redact)


def without_texts(record: Record, same: Callable[[str, str], bool]) -> Record:
    """Without any text that a user or a model wrote. Different answers are numbered, so that votes, route and winner
    can still be followed."""
    blank = _rewritten({**record, "prompts": [], "metadata": {}, "why": []}, lambda _: WITHHELD, _Numbers(same))
    return {**blank, "texts": False, "calls": [{**call, "prompt": None} for call in blank["calls"]]}


class _Numbers:
    """Calls different answers `answer 1`, `answer 2`, ..."""

    def __init__(self, same: Callable[[str, str], bool]) -> None:
        self._same = same
        self._known: list[str] = []

    def __call__(self, answer: str) -> str:
        for i, known in enumerate(self._known):
            if known == answer or self._same(known, answer):
                return f"answer {i + 1}"
        self._known.append(answer)
        return f"answer {len(self._known)}"


def _rewritten(record: Record, text: Redactor, answer: Redactor) -> Record:
    asked = record["asked"]
    told: Any = record["verification"]
    if asked is not None and asked["judged"] is not None:
        answer = str  # the names of candidates tell nothing
    if told is not None:
        seen = told["uncertainty"]
        votes = [{**vote, "answer": answer(vote["answer"])} for vote in seen["votes"]]
        told = {**told, "uncertainty": {**seen, "votes": votes}}
        told = _drawn(told, lambda sample: _sample(sample, text, answer))
        told = {
            **told,
            "answer": _maybe(told["answer"], answer),
            "best_guess": _maybe(told.get("best_guess"), answer),
            "reasons": [text(reason) for reason in told["reasons"]],
            "readings": [{**reading, "error": _maybe(reading["error"], text)} for reading in told["readings"]],
            "unrewarded": None if told["unrewarded"] is None else [_maybe(why, text) for why in told["unrewarded"]],
        }
    return {
        **record,
        "error": _maybe(record["error"], text),
        "metadata": {name: text(value) for name, value in record["metadata"].items()},
        "asked": None if asked is None else _asked(asked, text, answer),
        "nodes": [
            {**node, "reasons": [text(why) for why in node["reasons"]], "error": _maybe(node["error"], text)}
            for node in record["nodes"]
        ],
        "prompts": [[{**part, "content": text(part["content"])} for part in prompt] for prompt in record["prompts"]],
        "calls": [_tokenless(_failures(call, text)) for call in record["calls"]],
        "why": [text(sentence) for sentence in record["why"]],
        "verification": told,
    }


def _asked(asked: Asked, text: Redactor, answer: Redactor) -> Asked:
    rewritten: Asked = {
        **asked,
        "question": text(asked["question"]),
        "history": [{**part, "content": text(part["content"])} for part in asked["history"]],
        "reference": _maybe(asked["reference"], answer),
        "key": "",
    }
    if (judged := asked["judged"]) is not None:
        rewritten["judged"] = {
            **judged,
            "texts": [text(each) for each in judged["texts"]],
            "unfit": [_maybe(why, text) for why in judged["unfit"]],
            "calls": [[text(name) for name in names] for names in judged["calls"]],
            "conversation": [(who, text(said)) for who, said in judged["conversation"]],
            "tools": _maybe(judged["tools"], text),
            "rubric": _maybe(judged["rubric"], text),
        }
    return rewritten


def _failures(call: ModelCall, text: Redactor) -> ModelCall:
    retries = [{**retry, "reason": text(retry["reason"])} for retry in call["retries"]]
    generated = [{**each, "error": _maybe(each["error"], text)} for each in call["generated"]]
    told: Any = {**call, "error": _maybe(call["error"], text), "retries": retries, "generated": generated}
    return cast(ModelCall, told)


def _tokenless(call: ModelCall) -> ModelCall:
    return {**call, "generated": [{**each, "tokens": None} for each in call["generated"]]}


def _drawn(told: Verification | None, change: Callable[[Any], Any]) -> Any:
    if told is None:
        return None
    return {
        **told,
        "samples": [change(one) for one in told["samples"]],
        "paths": [change(one) for one in told["paths"]],
    }


def _textless(sample: Any) -> Any:
    return {**sample, "text": None, "thinking": None, "logprobs": None, "top_logprobs": None}


def _sample(sample: Any, text: Redactor, answer: Redactor) -> Any:
    return {
        **sample,
        **_errors(sample, text),
        "text": _maybe(sample["text"], text),
        "thinking": _maybe(sample["thinking"], text),
        "answer": _maybe(sample["answer"], answer),
    }


def _errors(sample: Any, text: Redactor) -> dict[str, str | None]:
    return {name: _maybe(sample[name], text) for name in ("error", "unscored") if name in sample}


def _maybe(text: str | None, rewrite: Redactor) -> str | None:
    return None if text is None else rewrite(text)
