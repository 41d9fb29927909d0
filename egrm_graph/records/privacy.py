"""Reduce records to what may be stored: by level, without texts, or through the caller's redaction.

Input records are never modified. Changed parts are copied.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

from egrm_graph.records.record import ModelCall, Record
from egrm_graph.records.tree_privacy import without_beginning, without_tree_tokens
from egrm_graph.verification import Asked, Verification

Redactor = Callable[[str], str]

WITHHELD = "(withheld)"
_SECRET_NAME = re.compile(r"key|token|secret|passw|authori[sz]ation|cookie|credential", re.IGNORECASE)
_AUTHORIZATION = re.compile(r"(?i)\b(bearer|basic)\s+[^\s,;'\"]+")
_UNIT_TEXTS = ("principle", "rule", "judgment")
_FRAMEWORK_PREFIXES = ("langgraph_", "checkpoint_", "ls_", "egrm_", "__")


def metadata_of(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The caller's metadata, without what LangGraph adds and without names that suggest a secret."""
    return {
        str(name): str(value)[:200]
        for name, value in metadata.items()
        if _recordable(str(name)) and isinstance(value, str | int | float)
    }


@lru_cache(maxsize=1000)
def _recordable(name: str) -> bool:
    return not name.startswith(_FRAMEWORK_PREFIXES) and not _SECRET_NAME.search(name)


def scrubbed(text: str, secret: str) -> str:
    """Remove the API key and authorization headers from an error's text, in case a server echoed them."""
    return _AUTHORIZATION.sub(r"\1 ***", text.replace(secret, "***") if secret else text)


def without_secrets(record: Record, secret: str) -> Record:
    """Apply `scrubbed` to every error in the record."""

    def clean(text: str) -> str:
        return scrubbed(text, secret)

    verdict: Any = record["verification"]
    if verdict is not None:
        readings = [{**reading, "error": _optional(reading["error"], clean)} for reading in verdict["readings"]]
        verdict = {**verdict, "reasons": [clean(reason) for reason in verdict["reasons"]], "readings": readings}
        verdict = _with_drawn(verdict, lambda sample: {**sample, **_errors(sample, clean)})
    return {
        **record,
        "nodes": [{**node, "reasons": [clean(reason) for reason in node["reasons"]]} for node in record["nodes"]],
        "calls": [_with_errors(call, clean) for call in record["calls"]],
        "verification": verdict,
    }


def summarized(record: Record) -> Record:
    """Remove prompts, and the texts and tokens of samples and paths."""
    return {
        **record,
        "level": "summary",
        "prompts": [],
        "calls": [_without_tokens({**call, "prompt": None}) for call in record["calls"]],
        "verification": _with_tokens_numbered(_with_drawn(record["verification"], _without_text)),
    }


def redacted(record: Record, redact: Redactor) -> Record:
    """Pass every text through `redact`. Tokens are removed, because they would reveal the text."""
    return _rewritten(record, redact, redact)


def without_texts(record: Record, same: Callable[[str, str], bool]) -> Record:
    """Remove every text that a user or a model wrote.

    Answers are numbered instead, which keeps votes, route, and winner traceable.
    """
    blank = _rewritten({**record, "prompts": [], "metadata": {}, "why": []}, lambda _: WITHHELD, _AnswerNumbers(same))
    return {**blank, "texts": False, "calls": [{**call, "prompt": None} for call in blank["calls"]]}


class _AnswerNumbers:
    """Replaces answers by `answer 1`, `answer 2`, and so on; equal answers get the same number."""

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
    verdict: Any = record["verification"]
    if asked is not None and asked["judged"] is not None:
        answer = str  # the names of candidates reveal nothing
    if verdict is not None:
        gate, unrewarded = verdict["uncertainty"], verdict["unrewarded"]
        votes = [{**vote, "answer": answer(vote["answer"])} for vote in gate["votes"]]
        verdict = {**verdict, "uncertainty": {**gate, "votes": votes}}
        verdict = _with_tokens_numbered(_with_drawn(verdict, lambda sample: _sample(sample, text, answer)))
        verdict = {
            **verdict,
            "answer": _optional(verdict["answer"], answer),
            "best_guess": _optional(verdict.get("best_guess"), answer),
            "reasons": [text(reason) for reason in verdict["reasons"]],
            "readings": [{**reading, "error": _optional(reading["error"], text)} for reading in verdict["readings"]],
            "unrewarded": None if unrewarded is None else [_optional(reason, text) for reason in unrewarded],
        }
    return {
        **record,
        "error": _optional(record["error"], text),
        "metadata": {name: text(value) for name, value in record["metadata"].items()},
        "asked": None if asked is None else _asked(asked, text, answer),
        "nodes": [
            {**node, "reasons": [text(reason) for reason in node["reasons"]], "error": _optional(node["error"], text)}
            for node in record["nodes"]
        ],
        "prompts": [[{**part, "content": text(part["content"])} for part in prompt] for prompt in record["prompts"]],
        "calls": [_without_tokens(_with_errors(call, text)) for call in record["calls"]],
        "why": [text(sentence) for sentence in record["why"]],
        "verification": verdict,
    }


def _asked(asked: Asked, text: Redactor, answer: Redactor) -> Asked:
    rewritten: Asked = {
        **asked,
        "question": text(asked["question"]),
        "history": [{**part, "content": text(part["content"])} for part in asked["history"]],
        "reference": _optional(asked["reference"], answer),
        "key": "",
    }
    if (judged := asked["judged"]) is not None:
        rewritten["judged"] = {
            **judged,
            "texts": [text(candidate) for candidate in judged["texts"]],
            "unfit": [_optional(reason, text) for reason in judged["unfit"]],
            "calls": [[text(name) for name in names] for names in judged["calls"]],
            "conversation": [(role, text(content)) for role, content in judged["conversation"]],
            "tools": _optional(judged["tools"], text),
            "rubric": _optional(judged["rubric"], text),
        }
    return rewritten


def _with_errors(call: ModelCall, text: Redactor) -> ModelCall:
    retries = [{**retry, "reason": text(retry["reason"])} for retry in call["retries"]]
    generated = [{**item, "error": _optional(item["error"], text)} for item in call["generated"]]
    changed: Any = {**call, "error": _optional(call["error"], text), "retries": retries, "generated": generated}
    return cast(ModelCall, changed)


def _without_tokens(call: ModelCall) -> ModelCall:
    generated: Any = [{**item, "tokens": None} for item in call["generated"]]
    return {**call, "sampling": without_beginning(call["sampling"]), "generated": generated}


def _with_tokens_numbered(verdict: Any) -> Any:
    """The verdict without the tokens of trees of paths."""
    return None if verdict is None else {**verdict, "paths": without_tree_tokens(verdict["paths"])}


def _with_drawn(verdict: Verification | None, change: Callable[[Any], Any]) -> Any:
    """The verdict with every sample and path changed."""
    if verdict is None:
        return None
    return {
        **verdict,
        "samples": [change(sample) for sample in verdict["samples"]],
        "paths": [change(path) for path in verdict["paths"]],
    }


def _without_text(sample: Any) -> Any:
    without = {**sample, "text": None, "thinking": None, "logprobs": None, "top_logprobs": None}
    if (judgment := sample.get("judgment")) is None:
        return without
    units = [{**unit, **dict.fromkeys(_UNIT_TEXTS, "")} for unit in judgment["units"]]
    return {**without, "judgment": {**judgment, "units": units, "solution": None}}


def _judgment(path: Any, text: Redactor) -> dict[str, Any]:
    """The judgment of a path, if it has one, with its texts changed. Sub-verdicts only name candidates."""
    if (judgment := path.get("judgment")) is None:
        return {}
    units = [{**unit, **{name: text(unit[name]) for name in _UNIT_TEXTS}} for unit in judgment["units"]]
    solution, lost = _optional(judgment["solution"], text), [text(reason) for reason in judgment["lost"]]
    return {"judgment": {**judgment, "units": units, "solution": solution, "lost": lost}}


def _sample(sample: Any, text: Redactor, answer: Redactor) -> Any:
    return {
        **sample,
        **_judgment(sample, text),
        **_errors(sample, text),
        "text": _optional(sample["text"], text),
        "thinking": _optional(sample["thinking"], text),
        "answer": _optional(sample["answer"], answer),
    }


def _errors(sample: Any, text: Redactor) -> dict[str, str | None]:
    return {name: _optional(sample[name], text) for name in ("error", "unscored") if name in sample}


def _optional(text: str | None, change: Redactor) -> str | None:
    return None if text is None else change(text)
