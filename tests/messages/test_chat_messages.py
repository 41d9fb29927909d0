"""Tests for reading messages in any form, or refusing them with an InputError."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from egrm_graph.errors import InputError
from egrm_graph.messages.candidates import read_candidates
from egrm_graph.messages.chat_messages import is_conversation, is_message, last_answer, read_message, read_messages

ROLES = st.sampled_from(["user", "assistant", "tool", "system", "developer", "function", "critic", "", None, 5])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
CALLS = st.fixed_dictionaries(
    {}, optional={"id": JSON, "type": JSON, "name": JSON, "arguments": JSON, "args": JSON, "function": JSON}
)
PARTS = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["text", "image_url", "output_text", "refusal", None]), "text": JSON}
)
MESSAGES = st.fixed_dictionaries(
    {"role": ROLES},
    optional={
        "content": JSON | st.lists(PARTS | JSON, max_size=3),
        "tool_calls": JSON | st.lists(CALLS | JSON, max_size=3),
        "function_call": JSON | CALLS,
        "refusal": JSON,
        "name": JSON,
        "tool_call_id": JSON,
        "data": JSON,
        "lc": JSON,
    },
)


@settings(max_examples=300, deadline=None)
@given(MESSAGES | JSON)
def test_any_value_is_read_or_refused(value: Any) -> None:
    is_conversation([value])
    try:
        message = read_message(value)
    except InputError:
        return
    assert isinstance(message, BaseMessage)
    [candidate] = read_candidates([message])
    assert (candidate.unfit is None) or not candidate.text


@pytest.mark.parametrize(
    "value", [("assistant", "56"), ["assistant", "56"], AIMessage("56"), {"type": "ai", "data": {"content": "56"}}]
)
def test_messages_in_langchains_forms_are_read(value: Any) -> None:
    assert read_message(value).text == "56"


def test_an_arrow_column_is_a_conversation() -> None:
    column = np.array([{"role": "user", "content": "17+48"}, {"role": "assistant", "content": "65"}], dtype=object)
    assert is_conversation(column)
    assert read_messages(column) == [HumanMessage("17+48"), AIMessage("65")]


def test_the_last_answer_is_the_last_message_of_the_assistant() -> None:
    assert last_answer([AIMessage("65"), AIMessage("56"), ToolMessage("", tool_call_id=""), HumanMessage("Sure?")]) == 1


def test_other_values_are_not_messages() -> None:
    assert not any(
        map(is_message, [{"content": "65"}, {"type": "final", "content": "65"}, {"role": "user"}, "65", None])
    )
