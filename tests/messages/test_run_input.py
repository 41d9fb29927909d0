"""Tests for reading a run's input."""

import pytest
from langchain_core.messages import HumanMessage

from egrm_graph.errors import InputError
from egrm_graph.messages.run_input import question_of


@pytest.mark.parametrize("messages", ["17+48-9", {"role": "user", "content": "17+48-9"}, HumanMessage("17+48-9")])
def test_a_single_message_is_the_question(messages: object) -> None:
    assert question_of({"messages": messages}) == ("17+48-9", [])


def test_an_empty_text_is_not_a_question() -> None:
    with pytest.raises(InputError, match="there is nothing to ask"):
        question_of({"messages": ""})
