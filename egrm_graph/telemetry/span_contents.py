"""Prompts, answers, and questions in the format of the GenAI semantic conventions."""

from __future__ import annotations

import json
from collections.abc import Sequence

from egrm_graph.records.privacy import Redactor
from egrm_graph.records.record import Record
from egrm_graph.telemetry.span_attributes import SpanAttributes, clean, known_attributes
from egrm_graph.verification import Message


def prompt_text(prompt: Sequence[Message], redact: Redactor) -> str:
    """Encode a prompt's texts as JSON."""
    return json.dumps([_message(message["role"], redact(message["content"])) for message in prompt])


def answers_text(texts: Sequence[str], finish_reasons: Sequence[str | None], redact: Redactor) -> str:
    """Encode the texts of answers as JSON."""
    return json.dumps(
        [
            {**_message("assistant", redact(text)), "finish_reason": reason or "error"}
            for text, reason in zip(texts, finish_reasons, strict=True)
        ]
    )


def run_texts(record: Record, redact: Redactor) -> SpanAttributes:
    """The question, candidates, and answer of a run."""
    asked, verdict = record["asked"], record["verification"]
    found: dict[str, object] = {}
    if asked is not None:
        question = Message(role="user", content=asked["question"])
        found["gen_ai.input.messages"] = prompt_text([*asked["history"], question], redact)
        if asked["judged"] is not None:
            found["egrm.candidates"] = [clean(redact(text)) for text in asked["judged"]["texts"]]
    if verdict is not None and verdict["answer"] is not None:
        found["gen_ai.output.messages"] = answers_text([verdict["answer"]], ["stop"], redact)
    return known_attributes(found)


def _message(role: str, text: str) -> dict[str, object]:
    return {"role": role, "parts": [{"type": "text", "content": clean(text)}]}
