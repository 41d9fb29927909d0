"""The tokens of a row: what the model reads, and where it has a loss."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import AutoTokenizer

from egrm_graph.errors import ModelError
from egrm_graph.fine_tuning.completion_rows import CompletionRow
from egrm_graph.fine_tuning.token_rows import IGNORED, RowTokenizer
from tests.fine_tuning.small import BUNDLED

TURNS = (
    "{% for m in messages %}<s>{{ m['role'][0] | upper }}{{ m['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<s>A{% if no_thought is defined %}={% endif %}{% endif %}"
)
"""A template with turns: `<s>U`, the text, `</s>`, and a line break that the model never writes."""


def tokenizer(template: str | None = None) -> Any:
    loaded: Any = AutoTokenizer.from_pretrained(BUNDLED)
    if template is not None:
        loaded.chat_template = template
    return loaded


def chat(prompt: str, completion: str) -> CompletionRow:
    messages: Any = [{"role": "user", "content": prompt}], [{"role": "assistant", "content": completion}]
    return CompletionRow(prompt=messages[0], completion=messages[1])


def spelled(ids: list[int]) -> str:
    text: str = tokenizer().decode([i for i in ids if i != IGNORED])
    return text


@pytest.mark.parametrize("row", [CompletionRow(prompt="1+1:", completion="#2"), chat("1+1:", "#2")])
async def test_the_loss_covers_the_completion_and_its_end_alone(row: CompletionRow) -> None:
    [tokens] = RowTokenizer(tokenizer(), 100, {}).rows([row])
    one, plus, colon, end = 5, 14, 17, 2
    hash_, two = tokenizer().encode("#2", add_special_tokens=False)
    assert tokens["input_ids"] == [1, one, plus, one, colon, hash_, two, end]
    assert tokens["labels"] == [IGNORED] * 5 + [hash_, two, end]


async def test_a_turn_ends_as_the_template_ends_it() -> None:
    rows = RowTokenizer(tokenizer(TURNS), 100, {})
    [tokens] = rows.rows([chat("1+1:", "2")])
    assert rows.turn_end() == "</s>"
    assert spelled(tokens["labels"]) == "2</s>"
    assert spelled(tokens["input_ids"]).startswith("<s>")


async def test_options_of_the_template_change_the_prompt() -> None:
    [plain] = RowTokenizer(tokenizer(TURNS), 100, {}).rows([chat("1", "2")])
    [thoughtless] = RowTokenizer(tokenizer(TURNS), 100, {"no_thought": True}).rows([chat("1", "2")])
    assert len(thoughtless["input_ids"]) == len(plain["input_ids"]) + 1
    assert spelled(thoughtless["labels"]) == spelled(plain["labels"])


async def test_an_end_that_is_written_is_not_doubled() -> None:
    [tokens] = RowTokenizer(tokenizer(), 100, {}).rows([CompletionRow(prompt="1", completion="2</s>")])
    assert spelled(tokens["labels"]) == "2</s>"


async def test_rows_that_are_too_long_are_counted_and_left_out() -> None:
    rows = RowTokenizer(tokenizer(), 5, {})
    found = rows.rows([CompletionRow(prompt="1+1:", completion="2"), CompletionRow(prompt="1:", completion="2")])
    assert [spelled(tokens["labels"]) for tokens in found] == ["2</s>"]
    assert rows.left_out == 1


async def test_messages_need_a_chat_template() -> None:
    bare = tokenizer()
    bare.chat_template = None
    with pytest.raises(ModelError, match="no chat template; give the model one, or write prompt and completion as"):
        RowTokenizer(bare, 100, {}).rows([chat("1", "2")])


async def test_a_template_that_refuses_a_row_is_an_error_of_the_model() -> None:
    with pytest.raises(ModelError, match="refuses a row: no"):
        RowTokenizer(tokenizer("{{ raise_exception('no') }}"), 100, {}).rows([chat("1", "2")])
