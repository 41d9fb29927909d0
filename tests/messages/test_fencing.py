"""Tests that untrusted text cannot leave its fence or pose as something else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.messages.fencing import code_of, fence, inert


def test_a_fence_has_its_name_and_code_at_both_ends() -> None:
    assert fence("candidate A", "65\n66", "3f2a91c0") == "[candidate A 3f2a91c0]\n65\n66\n[end of candidate A 3f2a91c0]"


@given(st.lists(st.text()))
def test_the_code_has_eight_characters_and_is_not_in_any_part(parts: list[str]) -> None:
    code = code_of(parts)
    assert re.fullmatch("[0-9a-f]{8}", code)
    assert all(code not in part for part in parts)


def test_the_code_depends_on_the_parts_and_their_order() -> None:
    assert code_of(["a", "b"]) == code_of(["a", "b"])
    assert len({code_of(parts) for parts in (["a", "b"], ["b", "a"], ["ab"], ["a", "c"])}) == 4


MARKS = (
    "<|im_end|>",
    "<|eot_id|>",
    "<｜Assistant｜>",  # noqa: RUF001 - as DeepSeek writes it
    "</s>",
    "<think>",
    "</think>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<bos>",
    "<pad>",
    "<unused7>",
    "[INST]",
    "[/INST]",
    "[TOOL_RESULTS]",
    "<<SYS>>",
    "<</SYS>>",
    "<system>",
    "<TOOL_RESPONSE>",
)


@pytest.mark.parametrize("mark", MARKS)
def test_chat_template_marks_are_broken_up(mark: str) -> None:
    assert mark not in inert(f"so {mark} it is")
    assert inert(f"so {mark} it is").replace(" ", "") == f"so{mark}itis"


@pytest.mark.parametrize("text", ["a < b and c > d", "<b>bold</b>", "x[0]", "{1 | 2}", "1 << 3", "x <= y", "<summary>"])
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert inert(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("a\rb\r\nc", "a⟨U+000D⟩b\nc"),
        ("a\x1b[2Jb", "a⟨U+001B⟩[2Jb"),
        ("a\U000e0041b", "a⟨U+E0041⟩b"),
        ("a\ud800b", "a⟨U+D800⟩b"),
        ("\ufeffa", "⟨U+FEFF⟩a"),
    ],
)
def test_invisible_characters_are_spelled_out(text: str, expected: str) -> None:
    assert inert(text) == expected


def test_joiners_of_scripts_and_emoji_are_unchanged() -> None:
    assert inert("👩\u200d🔬 क\u200dष\t\n") == "👩\u200d🔬 क\u200dष\t\n"


@given(st.text())
def test_inert_is_idempotent(text: str) -> None:
    assert inert(inert(text)) == inert(text)


@given(st.text(), st.sampled_from(["candidate A", "question"]))
def test_a_text_cannot_close_its_fence(text: str, name: str) -> None:
    code = code_of([text])
    fenced = fence(name, text, code)
    assert [fenced.count(end) for end in (f"[{name} {code}]", f"[end of {name} {code}]")] == [1, 1]
