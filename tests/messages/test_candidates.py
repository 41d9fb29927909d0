"""What counts as a candidate, what a judge is shown of it, and which candidates are equal."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolCall
from langchain_core.messages.tool import invalid_tool_call

from egrm_graph.errors import InputError
from egrm_graph.messages.candidates import Candidate, Equality, merged, read_candidates


def call(name: str, number: str = "1", **args: Any) -> ToolCall:
    return ToolCall(name=name, args=args, id=number)


def calling(*calls: ToolCall, text: str = "") -> AIMessage:
    return AIMessage(text, tool_calls=list(calls))


def same_as(*given: Any, equality: Equality = "whole", ignored: tuple[str, ...] = ()) -> list[int]:
    return merged(read_candidates(list(given), equality=equality, ignored=ignored))


def test_a_text_is_shown_as_it_is() -> None:
    assert read_candidates([" 65\n"]) == [Candidate(" 65\n", "text:65")]


@pytest.mark.parametrize("given", [AIMessage("65"), {"role": "assistant", "content": "65"}, ("ai", "65")])
def test_a_message_says_its_text(given: Any) -> None:
    assert read_candidates([given]) == [Candidate("65", "text:65")]


def test_blocks_of_text_are_shown_and_thinking_is_not() -> None:
    blocks: list[Any] = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "17+48"},
        "=65",
        {"type": "text", "text": None},
    ]
    assert [each.text for each in read_candidates([AIMessage(blocks)])] == ["17+48\n=65"]


def test_a_block_that_cannot_be_shown_makes_the_candidate_unfit() -> None:
    [found] = read_candidates([AIMessage([{"type": "text", "text": "look"}, {"type": "image", "url": "x"}])])
    reason = "it has a block of type 'image', which a judge of text cannot be shown"
    assert (found.text, found.unfit) == ("", reason)


def test_calls_are_shown_with_sorted_arguments_after_the_text() -> None:
    [found] = read_candidates([calling(call("search", b=[2, 1], a="ü"), call("book"), text="First:")])
    assert found.text == 'First:\ncall search({"a": "ü", "b": [2, 1]})\ncall book({})'
    assert found.tools == ("book", "search")


def test_an_invalid_call_is_shown_with_its_raw_arguments() -> None:
    broken = AIMessage("", invalid_tool_calls=[invalid_tool_call(name="search", args='{"a": ', id="1", error="cut")])
    [found] = read_candidates([broken])
    assert (found.text, found.tools) == ('call search("{\\"a\\": ")', ("search",))


def test_texts_are_equal_but_for_outer_space_and_composition() -> None:
    assert same_as("café", " cafe\u0301\n", "cafe", "Café") == [1, 1, 2, 3]


def test_calls_are_equal_whatever_their_ids_order_and_text() -> None:
    one = calling(call("a", "1", x=1, y=2), call("b", "2"), text="now")
    other = calling(call("b", "8"), call("a", "9", y=2, x=1), text="then")
    # "now" comes before "then": it stands for both, wherever it is.
    assert same_as(one, other) == [0, 0]
    assert same_as(other, one) == [1, 1]


def test_different_arguments_make_different_calls_but_for_those_ignored() -> None:
    one, other = calling(call("a", x=1, note="p")), calling(call("a", x=1, note="q"))
    assert same_as(one, other) == [0, 1]
    assert same_as(one, other, ignored=("note",)) == [0, 0]


def test_votes_on_the_name_or_on_the_arguments_look_at_nothing_else() -> None:
    given = (calling(call("a", x=2)), calling(call("a", x=1)), calling(call("b", x=1)))
    assert same_as(*given) == [0, 1, 2]
    assert same_as(*given, equality="name") == [1, 1, 2]
    assert same_as(*given, equality="arguments") == [0, 1, 1]


def test_no_text_is_equal_to_a_call_or_to_what_cannot_be_shown_by_its_spelling() -> None:
    image = AIMessage([{"type": "image", "url": "x"}])
    keys = [each.key for each in read_candidates([calling(call("a")), image])]
    for key in keys:
        for spelled in (key, key.partition(":")[2], key.replace(":", " ")):
            assert same_as(calling(call("a")), image, spelled) == [0, 1, 2]


def test_two_that_cannot_be_shown_are_never_equal() -> None:
    image = AIMessage([{"type": "image", "url": "x"}])
    assert same_as(image, image) == [0, 1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("65", "candidates is str; give a list"),
        ({"a": "65"}, "candidates is dict; give a list"),
        (["a"] * 65, "there are 65 candidates; at most 64"),
        (["a", None], "candidate 1 is no text and no message"),
        (["a", 7], "candidate 1 is no text and no message"),
        ([{"role": "nobody", "content": "x"}], "candidate 0 is no text and no message"),
    ],
)
def test_what_is_no_list_of_candidates_is_refused(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_candidates(given)


def test_any_role_can_be_judged() -> None:
    assert read_candidates([HumanMessage("65")])[0].text == "65"
