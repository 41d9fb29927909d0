"""Tests for removing the thinking from what a model says."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.answers.thinking import spoken

MARKS = ["<think>", "</think>", "<reasoning>", "</reasoning>", "<seed:think>", "</seed:think>", "[THINK]", "[/THINK]"]
HOSTILE = ["<think>", "</think>", "<", "<think", "<|channel|>", f"<{'a' * 40}", "<think></think>", "[", "a", "to=", "◁"]


@given(st.text())
def test_a_text_without_marks_is_returned_in_full(text: str) -> None:
    if not set("<[◁") & set(text) and not text.startswith(("thought\n", "/think\n", "analysis", "commentary")):
        said = spoken(text)
        assert said is not None
        assert said.text.strip() == text.strip()


@given(st.lists(st.sampled_from(MARKS) | st.sampled_from(["thought ", "more "]), max_size=12).map("".join))
def test_only_the_text_after_the_last_thought_is_returned(text: str) -> None:
    said = spoken(text + "<think>hidden</think>said")
    assert said is None or said.text == "said"
    assert spoken(text + "<think>hidden") is None


@given(st.text(alphabet="abc </>", max_size=20))
def test_a_closed_thought_is_never_returned(thought: str) -> None:
    said = spoken(f"<think>{thought}</think>said")
    assert said is None or said.text == "said"


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_marks_is_read_within_two_seconds(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    started = time.process_time()
    spoken(text)
    assert time.process_time() - started < 2


def test_many_thoughts_with_different_names_are_read_within_two_seconds() -> None:
    text = "".join(f"<think:{i}>" for i in range(40_000)) + "</thought>" * 40_000
    started = time.process_time()
    assert spoken(text) is None
    assert time.process_time() - started < 2
