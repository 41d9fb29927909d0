"""Prompts, answers and questions as the GenAI semantic conventions have them sent, where that was asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence

from egrm_graph.records.privacy import Redactor
from egrm_graph.records.record import Record
from egrm_graph.telemetry.span_attributes import SpanAttributes, clean, known_attributes
from egrm_graph.verification import Message


def prompt_text(prompt: Sequence[Message], rewrite: Redactor) -> str:
    """A prompt's texts in the conventions' form, as JSON."""
    return json.dumps([_message(message["role"], rewrite(message["content"])) for message in prompt])


def answers_text(texts: Sequence[str], finish_reasons: Sequence[str | None], rewrite: Redactor) -> str:
    """Answers' texts in the conventions' form, as JSON."""
    return json.dumps(
        [
            {**_message("assistant", rewrite(text)), "finish_reason": reason or "error"}
            for text, reason in zip(texts, finish_reasons, strict=True)
        ]
    )


def run_texts(record: Record, rewrite: Redactor) -> SpanAttributes:
    """Question, candidates and answer of a run."""
    asked, told = record["asked"], record["verification"]
    found: dict[str, object] = {}
    if asked is not None:
        question = Message(role="user", content=asked["question"])
        found["gen_ai.input.messages"] = prompt_text([*asked["history"], question], rewrite)
        if asked["judged"] is not None:
            found["egrm.candidates"] = [clean(rewrite(text)) for text in asked["judged"]["texts"]]
    if told is not None and told["answer"] is not None:
        found["gen_ai.output.messages"] = answers_text([told["answer"]], ["stop"], rewrite)
    return known_attributes(found)


def _message(role: str, text: str) -> dict[str, object]:
    return {"role": role, "parts": [{"type": "text", "content": clean(text)}]}
