"""How a run's input is read."""

import pytest
from langchain_core.messages import HumanMessage

from egrm_graph.errors import InputError
from egrm_graph.messages.run_input import question_of


@pytest.mark.parametrize("messages", ["17+48-9", {"role": "user", "content": "17+48-9"}, HumanMessage("17+48-9")])
def test_one_message_alone_is_the_question(messages: object) -> None:
    assert question_of({"messages": messages}) == ("17+48-9", [])


def test_an_empty_text_is_no_message() -> None:
    with pytest.raises(InputError, match="there is nothing to ask"):
        question_of({"messages": ""})
