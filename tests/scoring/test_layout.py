"""How question and path become token ids: as the model's own tokenizer has them, and never forged or cut."""

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
    """One token a word between spaces."""
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
def test_special_tokens_are_those_of_the_frame_alone(pieces: list[str]) -> None:
    text = "".join(pieces)
    (row,) = LAYOUT.rows(text, [f"{text}."])
    assert isinstance(row, list)
    assert [i for i in row if i < len(SPECIAL)] == [BEGIN, HEADER, BODY, END, HEADER, BODY, END]
    plain = CHAT.decode([i for i in row if i >= len(SPECIAL)])
    assert plain == f"user\n\n{text.strip()}assistant\n\n{text.lstrip()}."


def test_template_has_its_special_tokens_and_those_that_the_tokenizer_adds() -> None:
    core = words("<unk>", "<s>", "<sep>", "1+1", "#2", special=("<unk>", "<s>", "<sep>"))
    core.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    layout = Layout(core, parse_template("{question} <sep> {path}"), 16)
    assert layout.rows("1+1", ["#2"]) == [[1, 3, 2, 4]]


def test_special_token_that_the_frame_spells_and_the_tokenizer_calls_ordinary_cannot_be_forged() -> None:
    core = words("<unk>", "1+1", "#2")
    core.add_tokens(["<turn>"])
    layout = Layout(core, InputTemplate("", " <turn> ", ""), 16)
    # "<turn>" becomes "<" and "turn>", which are unknown words
    assert layout.rows("1+1", ["<turn> #2"]) == [[1, 3, 0, 0, 2]]


def test_unknown_words_forge_nothing_though_their_token_is_special() -> None:
    layout = Layout(words("<unk>", "1+1", "#2", special=("<unk>",)), InputTemplate("", " ", ""), 16)
    assert layout.rows("1+1", ["what #2"]) == [[1, 0, 2]]


def test_white_space_that_a_special_token_takes_along_makes_it_no_forgery() -> None:
    core = words("<unk>", "1+1", "#2")
    core.add_special_tokens([AddedToken("<|end|>", lstrip=True)])
    layout = Layout(core, InputTemplate("", " ", "<|end|>"), 16)
    assert layout.rows("1+1", ["#2  "]) == [[1, 2, 3]]


def test_special_token_that_cannot_be_read_as_text_leaves_the_path_unscored() -> None:
    layout = Layout(words("<unk>", "1+1", "#2", special=("#",)), InputTemplate("", " ", ""), 16)
    assert layout.rows("1+1", ["# 2", "#2"])[0] == Unscored(
        "the text contains the special token '#', which the scorer's tokenizer cannot encode as plain text"
    )


def test_text_that_is_far_too_long_is_measured_in_characters() -> None:
    layout = Layout(words("<unk>", "1"), InputTemplate("", " ", ""), 4)
    # 4 tokens usually have at most 32 characters, and 32 of these have 16 tokens: more than a seam may add is needed
    (row,) = layout.rows("1", ["1 " * 2000])
    assert row == Unscored(
        "question and path are 4002 characters, which is more than the 4 tokens that the scorer reads at most"
    )


def test_long_text_of_few_tokens_is_read_whole() -> None:
    layout = Layout(words("<unk>", "1"), InputTemplate("", " ", ""), 4)
    assert layout.rows("1", [f"1{' ' * 100_000}1"]) == [[1, 1, 1]]


def test_a_million_characters_are_refused_off_the_interpreters_lock() -> None:
    layout = Layout(words("<unk>", "1"), InputTemplate("", " ", ""), 30_000)
    refusal = threading.Thread(target=layout.rows, args=("1", ["1 " * 500_000]))
    turns = 0
    refusal.start()
    while refusal.is_alive():
        time.sleep(0.001)
        turns += 1
    assert turns > 10  # with the lock held, this thread would get one or two


def test_tokenizers_own_padding_and_truncation_are_off() -> None:
    core = words("<unk>", "1")
    core.enable_truncation(2)
    core.enable_padding(length=9)
    assert Layout(core, InputTemplate("", " ", ""), 16).rows("1", ["1 1 1"]) == [[1, 1, 1, 1]]


def test_folder_gives_the_ids_of_the_loaded_tokenizer(tmp_path: Path) -> None:
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
def test_context_is_the_smaller_of_the_models_and_the_tokenizers(
    tmp_path: Path, config: dict[str, object], tokenizer_config: dict[str, object], expected: int
) -> None:
    words("<unk>").save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    assert Layout.load(tmp_path).context_tokens == expected


def test_folder_without_tokenizer_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has no tokenizer\.json; save it"):
        Layout.load(tmp_path)


def test_loading_needs_no_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from egrm_graph.scoring.layout import Layout;"
        f"print(Layout.load(Path({str(bundled('egrm-tiny-scorer'))!r})).rows('1+1', ['#2']), 'torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # <s>, then the question, a colon and the path, by the vocabulary's numbers
    vocabulary = PreTrainedTokenizerFast.from_pretrained(bundled("egrm-tiny-scorer")).get_vocab()
    assert run.stdout.strip() == f"[{[vocabulary[token] for token in ('<s>', *'1+1:#2')]}] False"
