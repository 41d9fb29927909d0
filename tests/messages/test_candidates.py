"""Tests for what a candidate is, what a judge reads of it, and which candidates are equal."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolCall
from langchain_core.messages.tool import invalid_tool_call

from egrm_graph.errors import InputError
from egrm_graph.messages.candidates import Candidate, Equality, merged, read_candidates


def call(name: str, call_id: str = "1", **args: Any) -> ToolCall:
    return ToolCall(name=name, args=args, id=call_id)


def calling(*calls: ToolCall, text: str = "") -> AIMessage:
    return AIMessage(text, tool_calls=list(calls))


def representatives(*values: Any, equality: Equality = "whole", ignored: tuple[str, ...] = ()) -> list[int]:
    return merged(read_candidates(list(values), equality=equality, ignored=ignored))


def test_a_text_is_unchanged() -> None:
    assert read_candidates([" 65\n"]) == [Candidate(" 65\n", "text:65")]


@pytest.mark.parametrize("message", [AIMessage("65"), {"role": "assistant", "content": "65"}, ("ai", "65")])
def test_a_message_is_read_as_its_text(message: Any) -> None:
    assert read_candidates([message]) == [Candidate("65", "text:65")]


def test_text_blocks_are_read_and_thinking_is_not() -> None:
    blocks: list[Any] = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "17+48"},
        "=65",
        {"type": "text", "text": None},
    ]
    assert [candidate.text for candidate in read_candidates([AIMessage(blocks)])] == ["17+48\n=65"]


def test_a_block_that_is_not_text_makes_a_candidate_unfit() -> None:
    [found] = read_candidates([AIMessage([{"type": "text", "text": "look"}, {"type": "image", "url": "x"}])])
    reason = "it has a block of type 'image', which a text judge cannot read"
    assert (found.text, found.unfit) == ("", reason)


def test_calls_follow_the_text_with_sorted_arguments() -> None:
    [found] = read_candidates([calling(call("search", b=[2, 1], a="ü"), call("book"), text="First:")])
    assert found.text == 'First:\ncall search({"a": "ü", "b": [2, 1]})\ncall book({})'
    assert found.tools == ("book", "search")


def test_an_invalid_call_keeps_its_raw_arguments() -> None:
    broken = AIMessage("", invalid_tool_calls=[invalid_tool_call(name="search", args='{"a": ', id="1", error="cut")])
    [found] = read_candidates([broken])
    assert (found.text, found.tools) == ('call search("{\\"a\\": ")', ("search",))


def test_outer_whitespace_and_unicode_composition_do_not_matter() -> None:
    assert representatives("café", " cafe\u0301\n", "cafe", "Café") == [1, 1, 2, 3]


def test_ids_order_and_text_of_calls_do_not_matter() -> None:
    one = calling(call("a", "1", x=1, y=2), call("b", "2"), text="now")
    other = calling(call("b", "8"), call("a", "9", y=2, x=1), text="then")
    # "now" sorts before "then", so it represents both in any order.
    assert representatives(one, other) == [0, 0]
    assert representatives(other, one) == [1, 1]


def test_only_ignored_arguments_may_differ() -> None:
    one, other = calling(call("a", x=1, note="p")), calling(call("a", x=1, note="q"))
    assert representatives(one, other) == [0, 1]
    assert representatives(one, other, ignored=("note",)) == [0, 0]


def test_equality_of_names_or_arguments_ignores_everything_else() -> None:
    messages = (calling(call("a", x=2)), calling(call("a", x=1)), calling(call("b", x=1)))
    assert representatives(*messages) == [0, 1, 2]
    assert representatives(*messages, equality="name") == [1, 1, 2]
    assert representatives(*messages, equality="arguments") == [0, 1, 1]


def test_a_text_that_looks_like_a_key_is_not_equal_to_its_candidate() -> None:
    image = AIMessage([{"type": "image", "url": "x"}])
    keys = [candidate.key for candidate in read_candidates([calling(call("a")), image])]
    for key in keys:
        for text in (key, key.partition(":")[2], key.replace(":", " ")):
            assert representatives(calling(call("a")), image, text) == [0, 1, 2]


def test_unfit_candidates_are_never_equal() -> None:
    image = AIMessage([{"type": "image", "url": "x"}])
    assert representatives(image, image) == [0, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("65", "candidates is str; give a list"),
        ({"a": "65"}, "candidates is dict; give a list"),
        (["a"] * 65, "there are 65 candidates; at most 64"),
        (["a", None], "candidate 1 is neither a text nor a message"),
        (["a", 7], "candidate 1 is neither a text nor a message"),
        ([{"role": "nobody", "content": "x"}], "candidate 0 is neither a text nor a message"),
    ],
)
def test_values_that_are_not_candidates_are_refused(values: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_candidates(values)


def test_any_role_can_be_judged() -> None:
    assert read_candidates([HumanMessage("65")])[0].text == "65"
