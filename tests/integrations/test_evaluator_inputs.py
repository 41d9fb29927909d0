"""Questions, candidates and references are found where evaluators put them, and never guessed."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from egrm_graph.errors import InputError
from egrm_graph.integrations.evaluator_inputs import asked_before, asked_in, candidate_in, reference_in

SAID = {"role": "assistant", "content": "56"}


@pytest.mark.parametrize(
    ("inputs", "key", "expected"),
    [
        ("17+48-9", None, {"question": "17+48-9"}),
        ({"question": "17+48-9", "user": "me"}, None, {"question": "17+48-9"}),
        ({"input": "17+48-9"}, None, {"question": "17+48-9"}),
        ({"input": "17+48-9", "user": "me"}, "input", {"question": "17+48-9"}),
        ({"messages": [SAID]}, None, {"messages": [AIMessage("56")]}),
        ([SAID], None, {"messages": [AIMessage("56")]}),
    ],
)
def test_the_question(inputs: Any, key: str | None, expected: dict[str, Any]) -> None:
    assert asked_in(inputs, key) == expected


@pytest.mark.parametrize(
    ("outputs", "key", "expected"),
    [
        ("56", None, "56"),
        (56, None, "56"),
        ({"output": "56"}, None, "56"),
        ({"output": "56", "tokens": 3}, "output", "56"),
        (SAID, None, AIMessage("56")),
        ({"messages": [{"role": "user", "content": "17+48-9"}, SAID], "tokens": 3}, None, AIMessage("56")),
    ],
)
def test_the_candidate(outputs: Any, key: str | None, expected: Any) -> None:
    assert candidate_in(outputs, key) == expected


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [(None, None), ({}, None), ("56", "56"), ({"answer": 56}, "56"), (SAID, "56"), (AIMessage("56"), "56")],
)
def test_the_reference(outputs: Any, expected: str | None) -> None:
    assert reference_in(outputs) == expected


def test_the_question_of_a_conversation_alone() -> None:
    asked = {"role": "user", "content": "17+48-9"}
    assert (
        asked_before([asked, SAID])
        == asked_before({"messages": [asked, SAID]})
        == {"messages": [HumanMessage("17+48-9")]}
    )
    for outputs in ("56", {"answer": "56"}, [SAID]):
        with pytest.raises(InputError, match="there is no question"):
            asked_before(outputs)


def test_a_choice_is_the_callers() -> None:
    with pytest.raises(InputError, match="there are the keys 'a', 'b'; say which one has the question"):
        asked_in({"a": "1+1", "b": "2+2"})
    with pytest.raises(InputError, match="there is no key 'c', only 'a', 'b'; set fields=Fields"):
        candidate_in({"a": "1", "b": "2"}, "c")


@pytest.mark.parametrize("outputs", [None, {}, {"output": {"answer": ["56"]}, "x": 1}, {"messages": []}])
def test_where_there_is_no_answer_there_is_no_candidate(outputs: Any) -> None:
    with pytest.raises(InputError):
        candidate_in(outputs)
