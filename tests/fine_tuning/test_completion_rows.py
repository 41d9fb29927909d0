"""Rows with a prompt and a completion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.errors import InputError
from egrm_graph.fine_tuning.completion_rows import CompletionRow, held_out_share, read_completion_rows
from tests.fine_tuning.small import save_rows

USER, ASSISTANT = [{"role": "user", "content": "1+1"}], [{"role": "assistant", "content": "2"}]


async def test_texts_and_conversations_are_read(tmp_path: Path) -> None:
    text = {"prompt": "1+1:", "completion": "2", "id": 7, "label": "A", "style": "depth", "domain": "correctness"}
    first, second = read_completion_rows(
        save_rows(tmp_path / "rows", [text, {"prompt": USER, "completion": ASSISTANT}])
    )
    assert first.model_dump() == text
    assert isinstance(second.completion, tuple)
    assert second.completion[0].content == "2"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "1+1", "answer": "2"}, "line 1: .*'prompt' is missing; a row has a prompt and a completion"),
        ({"prompt": "1+1"}, "'completion' is missing"),
        ({"prompt": "1+1", "completion": ASSISTANT}, "have different forms; use two texts, or two lists of messages"),
        ({"prompt": "", "completion": "2"}, "prompt"),
        ({"prompt": USER, "completion": USER}, "one message of the assistant, and this one has user"),
        ({"prompt": USER, "completion": ASSISTANT * 2}, "this one has assistant, assistant"),
        ({"prompt": [*USER, *ASSISTANT], "completion": ASSISTANT}, "the prompt ends with the assistant's turn"),
        ({"prompt": [{"role": "judge", "content": "1"}], "completion": ASSISTANT}, "role"),
    ],
)
async def test_other_rows_are_named(tmp_path: Path, row: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_completion_rows(save_rows(tmp_path / "rows", [row]))


async def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no rows; write one with a prompt and a completion on each line"):
        read_completion_rows(save_rows(tmp_path / "rows", []))


@given(st.lists(st.tuples(st.text(min_size=1), st.integers(0, 5)), max_size=30), st.floats(0, 0.9))
async def test_rows_of_one_item_are_held_out_together(items: list[tuple[str, int]], share: float) -> None:
    rows = [CompletionRow(prompt=prompt, completion="2", id=number) for prompt, number in items]
    train, held_out = held_out_share(rows, share)
    assert not {row.id for row in train} & {row.id for row in held_out}
    assert len(train) + len(held_out) == len(rows)
    if share == 0:
        assert held_out == []
