"""Texts in the format of the semantic conventions."""

import json

from egrm_graph.telemetry import span_contents as contents
from tests.tracing.records import record


def test_texts_are_encoded_and_redacted() -> None:
    assert json.loads(contents.prompt_text([{"role": "user", "content": "a+b"}], str.upper)) == [
        {"role": "user", "parts": [{"type": "text", "content": "A+B"}]}
    ]
    assert json.loads(contents.answers_text(["a", ""], ["stop", None], str.upper)) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "A"}], "finish_reason": "stop"},
        {"role": "assistant", "parts": [{"type": "text", "content": ""}], "finish_reason": "error"},
    ]


def test_the_question_and_answer_of_a_run_are_reported() -> None:
    assert contents.run_texts(record(), lambda text: f"<{text}>") == {
        "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "<17+25>"}]}]',
        "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "<42>"}], '
        '"finish_reason": "stop"}]',
    }


def test_the_candidates_of_a_run_are_redacted() -> None:
    judged = record(asked={**(record()["asked"] or {}), "judged": {"texts": ["a", "b"]}}, verification=None)
    assert contents.run_texts(judged, str.upper) == {
        "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "17+25"}]}]',
        "egrm.candidates": ["A", "B"],
    }
