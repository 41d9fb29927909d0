"""Tests that questions, candidates, and references are found in evaluator arguments and never guessed."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from egrm_graph.errors import InputError
from egrm_graph.integrations.evaluator_inputs import candidate_in, find_question, question_before_answer, reference_in

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
def test_the_question_is_found(inputs: Any, key: str | None, expected: dict[str, Any]) -> None:
    assert find_question(inputs, key) == expected


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
def test_the_candidate_is_found(outputs: Any, key: str | None, expected: Any) -> None:
    assert candidate_in(outputs, key) == expected


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [(None, None), ({}, None), ("56", "56"), ({"answer": 56}, "56"), (SAID, "56"), (AIMessage("56"), "56")],
)
def test_the_reference_is_found(outputs: Any, expected: str | None) -> None:
    assert reference_in(outputs) == expected


def test_the_question_is_found_in_a_conversation() -> None:
    question = {"role": "user", "content": "17+48-9"}
    assert (
        question_before_answer([question, SAID])
        == question_before_answer({"messages": [question, SAID]})
        == {"messages": [HumanMessage("17+48-9")]}
    )
    for outputs in ("56", {"answer": "56"}, [SAID]):
        with pytest.raises(InputError, match="there is no question"):
            question_before_answer(outputs)


def test_the_caller_has_to_choose_between_several_keys() -> None:
    with pytest.raises(InputError, match="there are the keys 'a', 'b'; say which one has the question"):
        find_question({"a": "1+1", "b": "2+2"})
    with pytest.raises(InputError, match="there is no key 'c', only 'a', 'b'; set fields=Fields"):
        candidate_in({"a": "1", "b": "2"}, "c")


@pytest.mark.parametrize("outputs", [None, {}, {"output": {"answer": ["56"]}, "x": 1}, {"messages": []}])
def test_an_output_without_an_answer_is_refused(outputs: Any) -> None:
    with pytest.raises(InputError):
        candidate_in(outputs)
