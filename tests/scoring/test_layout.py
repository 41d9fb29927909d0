"""How a question and a path become token ids: as the model's tokenizer encodes them, never forged or cut."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from egrm_graph.errors import ModelError
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.input_template import InputTemplate, parse_chat_template, parse_template
from egrm_graph.scoring.layout import Layout, backend_of
from egrm_graph.scoring.scorer import Unscored
from tests.scoring.chats import CHAT_TEMPLATE, SPECIAL, chat_tokenizer

BEGIN, HEADER, BODY, END, PAD = range(5)
CHAT = chat_tokenizer()
TEMPLATE = parse_chat_template(CHAT_TEMPLATE, {"bos_token": "<|begin|>"})
LAYOUT = Layout(backend_of(chat_tokenizer()), TEMPLATE, 4096)


def words(*vocabulary: str, special: tuple[str, ...] = ()) -> Tokenizer:
    """A tokenizer with one token per word."""
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token=vocabulary[0]))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.add_special_tokens(list(special))
    return core


@given(st.text(), st.text().filter(lambda path: path.strip()))
def test_ordinary_text_has_the_ids_of_the_chat_template(question: str, path: str) -> None:
    chat = [{"role": "user", "content": question}, {"role": "assistant", "content": path}]
    expected = CHAT.apply_chat_template(chat, tokenize=True, return_dict=False)
    assert LAYOUT.rows(question, [path]) == [expected]


@given(st.lists(st.sampled_from([*SPECIAL, "<|", "end|>", "17", " ", "\n", "x"])))
def test_only_the_template_has_special_tokens(pieces: list[str]) -> None:
    text = "".join(pieces)
    (row,) = LAYOUT.rows(text, [f"{text}."])
    assert isinstance(row, list)
    assert [i for i in row if i < len(SPECIAL)] == [BEGIN, HEADER, BODY, END, HEADER, BODY, END]
    plain = CHAT.decode([i for i in row if i >= len(SPECIAL)])
    assert plain == f"user\n\n{text.strip()}assistant\n\n{text.lstrip()}."


def test_special_tokens_come_from_the_template_and_the_tokenizer() -> None:
    core = words("<unk>", "<s>", "<sep>", "1+1", "#2", special=("<unk>", "<s>", "<sep>"))
    core.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    layout = Layout(core, parse_template("{question} <sep> {path}"), 16)
    assert layout.rows("1+1", ["#2"]) == [[1, 3, 2, 4]]


def test_an_added_token_in_the_template_cannot_be_forged() -> None:
    core = words("<unk>", "1+1", "#2")
    core.add_tokens(["<turn>"])
    layout = Layout(core, InputTemplate("", " <turn> ", ""), 16)
    # "<turn>" becomes "<" and "turn>", which are unknown words
    assert layout.rows("1+1", ["<turn> #2"]) == [[1, 3, 0, 0, 2]]


def test_unknown_words_are_not_forgeries_if_their_token_is_special() -> None:
    layout = Layout(words("<unk>", "1+1", "#2", special=("<unk>",)), InputTemplate("", " ", ""), 16)
    assert layout.rows("1+1", ["what #2"]) == [[1, 0, 2]]


def test_whitespace_that_a_special_token_absorbs_is_not_a_forgery() -> None:
    core = words("<unk>", "1+1", "#2")
    core.add_special_tokens([AddedToken("<|end|>", lstrip=True)])
    layout = Layout(core, InputTemplate("", " ", "<|end|>"), 16)
    assert layout.rows("1+1", ["#2  "]) == [[1, 2, 3]]


def test_a_path_with_a_special_token_that_has_no_plain_encoding_is_unscored() -> None:
    layout = Layout(words("<unk>", "1+1", "#2", special=("#",)), InputTemplate("", " ", ""), 16)
    assert layout.rows("1+1", ["# 2", "#2"])[0] == Unscored(
        "the text contains the special token '#', which the scorer's tokenizer cannot encode as plain text"
    )


def test_the_length_of_a_very_long_text_is_reported_in_characters() -> None:
    layout = Layout(words("<unk>", "1"), InputTemplate("", " ", ""), 4)
    # 4 tokens usually have at most 32 characters, and 32 characters of this text have 16 tokens.
    (row,) = layout.rows("1", ["1 " * 2000])
    assert row == Unscored(
        "question and path are 4002 characters, which is more than the 4 tokens that the scorer reads at most"
    )


def test_a_long_text_of_few_tokens_is_read_in_full() -> None:
    layout = Layout(words("<unk>", "1"), InputTemplate("", " ", ""), 4)
    assert layout.rows("1", [f"1{' ' * 100_000}1"]) == [[1, 1, 1]]


def test_refusing_a_million_characters_releases_the_interpreter_lock() -> None:
    layout = Layout(words("<unk>", "1"), InputTemplate("", " ", ""), 30_000)
    refusal = threading.Thread(target=layout.rows, args=("1", ["1 " * 500_000]))
    turns = 0
    refusal.start()
    while refusal.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > 10  # with the lock held, this thread would run once or twice


def test_padding_and_truncation_of_the_tokenizer_are_off() -> None:
    core = words("<unk>", "1")
    core.enable_truncation(2)
    core.enable_padding(length=9)
    assert Layout(core, InputTemplate("", " ", ""), 16).rows("1", ["1 1 1"]) == [[1, 1, 1, 1]]


def test_a_folder_gives_the_same_ids_as_the_loaded_tokenizer(tmp_path: Path) -> None:
    CHAT.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 4096}))
    assert Layout.load(tmp_path).rows("17+48", ["#65", "<|end|>"]) == LAYOUT.rows("17+48", ["#65", "<|end|>"])


@pytest.mark.parametrize(
    ("config", "tokenizer_config", "expected"),
    [
        ({"max_position_embeddings": 64}, {}, 64),
        ({"max_position_embeddings": 64}, {"model_max_length": 32}, 32),
        ({"text_config": {"max_position_embeddings": 64}}, {"model_max_length": 1e30}, 64),
        ({}, {"model_max_length": 32}, 32),
    ],
)
def test_the_context_is_the_smaller_limit_of_the_model_and_the_tokenizer(
    tmp_path: Path, config: dict[str, object], tokenizer_config: dict[str, object], expected: int
) -> None:
    words("<unk>").save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    assert Layout.load(tmp_path).context_tokens == expected


def test_a_folder_without_a_tokenizer_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no tokenizer\.json; save it"):
        Layout.load(tmp_path)


def test_loading_does_not_import_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from egrm_graph.scoring.layout import Layout;"
        f"print(Layout.load(Path({str(bundled('egrm-tiny-scorer'))!r})).rows('1+1', ['#2']), 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # <s>, the question, a colon, and the path
    vocabulary = PreTrainedTokenizerFast.from_pretrained(bundled("egrm-tiny-scorer")).get_vocab()
    assert run.stdout.strip() == f"[{[vocabulary[token] for token in ('<s>', *'1+1:#2')]}] False"
