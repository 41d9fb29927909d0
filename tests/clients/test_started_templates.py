"""Started turns in chat templates: the prompt ends in the start, with no open thought before it."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from egrm_graph.answers.thinking import closing_of
from egrm_graph.clients.client import Sampling
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.clients.embedded_rows import SampleRequest
from egrm_graph.clients.embedded_tokens import ModelTokens
from egrm_graph.errors import Unsupported
from egrm_graph.settings import Thinking
from egrm_graph.verification import Message
from tests.clients.untrained import encode, forward, save_model

BOX = "\\boxed{"

# Each in the style of the model's own template.
QWEN3 = """\
{%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}\
{%- if m.role == 'assistant' and loop.last %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}\
{{- m.content + '<|im_end|>\\n' }}{% endfor %}\
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}\
{%- if enable_thinking is defined and not enable_thinking %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}"""
DEEPSEEK_R1 = """\
{%- for m in messages %}{% if m.role == 'user' %}{{ '<|User|>' + m.content }}\
{%- else %}{{ '<|Assistant|>' + m.content.split('</think>')[-1] + '<|end|>' }}{% endif %}{% endfor %}\
{%- if add_generation_prompt %}{{ '<|Assistant|><think>\\n' }}{% endif %}"""
DEEPSEEK_V31 = """\
{%- for m in messages %}{% if m.role == 'user' %}{{ '<|User|>' + m.content }}\
{%- else %}{{ '<|Assistant|></think>' + m.content + '<|end|>' }}{% endif %}{% endfor %}\
{%- if add_generation_prompt %}{{ '<|Assistant|>' + ('<think>' if thinking else '</think>') }}{% endif %}"""
GRANITE = """\
{{- '<|system|>You think between <think></think> tags.' if thinking else '' }}\
{%- for m in messages %}{{ '<|start_of_role|>' + m.role + '<|end_of_role|>' + m.content + '<|end_of_text|>\\n' }}\
{%- endfor %}{% if add_generation_prompt %}{{ '<|start_of_role|>assistant<|end_of_role|>' }}{% endif %}"""
GLM = """\
[gMASK]<sop>{% for m in messages %}{{ '<|' + m.role + '|>\\n' }}\
{%- if m.role == 'user' %}{{ m.content + ('/nothink' if enable_thinking is defined and not enable_thinking else '') }}\
{%- else %}{{ '<think></think>\\n' + m.content.strip() }}{% endif %}{% endfor %}\
{%- if add_generation_prompt %}{{ '<|assistant|>' + ('' if enable_thinking else '\\n<think></think>') }}{% endif %}"""
PLAIN = """\
{%- for m in messages %}{{ '<' + m.role + '>' + m.content + '</s>' }}{% endfor %}\
{%- if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"""
OPEN = """\
{%- for m in messages %}{{ '<' + m.role + '>' }}\
{%- if m.role == 'assistant' and loop.last %}{{ '<think>\\n' }}{% endif %}\
{{- m.content + '</s>' }}{% endfor %}{% if add_generation_prompt %}{{ '<assistant><think>\\n' }}{% endif %}"""

HEADERS = {
    QWEN3: "<|im_start|>assistant\n<think>\n\n</think>\n\n",
    DEEPSEEK_R1: "<|Assistant|>",
    DEEPSEEK_V31: "<|Assistant|></think>",
    GRANITE: "<|start_of_role|>assistant<|end_of_role|>",
    GLM: "<|assistant|>\n<think></think>\n",
    PLAIN: "<assistant>",
    OPEN: "<assistant><think>\n</think>\n\n",
}


def characters(template: str) -> ModelTokens:
    """A tokenizer with one token for each byte, and this template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.chat_template = template
    return tokens_of(fast)


def tokens_of(tokenizer: Any) -> ModelTokens:
    config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(max_position_embeddings=None))
    model = SimpleNamespace(config=config, generation_config=SimpleNamespace(eos_token_id=None))
    return ModelTokens(model, tokenizer, "model")


def text_of(tokens: ModelTokens, asked: str, start: str = BOX, thinking: Thinking = "off") -> str:
    prompt = [Message(role="user", content=asked), Message(role="assistant", content=start)]
    sampling = Sampling(temperature=1, max_tokens=8, thinking=thinking)
    [row] = tokens.rows(SampleRequest(prompt, sampling, (0,), None))
    return tokens._decoded(list(row.prompt_ids))


@pytest.mark.parametrize("thinking", ["off", "default"])
@pytest.mark.parametrize("template", HEADERS)
def test_the_prompt_ends_in_the_start_after_closed_thoughts(template: str, thinking: Thinking) -> None:
    text = text_of(characters(template), "6*7?", thinking=thinking)
    header = text[text.index("6*7?") :]
    assert header.endswith(HEADERS[template] + BOX)
    assert closing_of(header.removesuffix(BOX)) == ""


@pytest.mark.parametrize("asked", ["What does <think> mean?", "Say <think></think> and then <think>"])
def test_a_question_with_a_mark_of_thinking_closes_nothing(asked: str) -> None:
    text = text_of(characters(PLAIN), asked)
    assert text.endswith(f"{asked}</s><assistant>{BOX}")


def test_a_template_that_changes_the_start_is_refused() -> None:
    shouting = "{% for m in messages %}{{ m.content | upper }}{% endfor %}"
    with pytest.raises(Unsupported, match="cannot continue a started reply"):
        text_of(characters(shouting), "6*7?")


@pytest.mark.parametrize(
    ("text", "closing"),
    [
        ("<assistant><think>\n", "</think>"),
        ("<assistant>[THINK]", "[/THINK]"),
        ("<|begin_of_thought|>", "<|end_of_thought|>"),
        ("<|START_THINKING|>", "<|END_THINKING|>"),
        ("◁think▷", "◁/think▷"),
        ("<think>\n\n</think>\n\n", ""),
        ("</think>", ""),
        ("<assistant>", ""),
    ],
)
def test_the_mark_that_closes_a_thought(text: str, closing: str) -> None:
    assert closing_of(text) == closing


async def test_a_local_model_continues_the_start(tmp_path: Path) -> None:
    template = "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}:{% endif %}"
    folder = save_model(tmp_path, chat_template=template)
    client = EmbeddedClient.load(folder)
    prompt = [Message(role="user", content="1+2="), Message(role="assistant", content="#")]
    found = await client.label_logprobs(prompt, ["3", "4"], request_id="r")
    await client.aclose()
    values = forward(folder, encode("1+2=#")[1:])
    assert found.logprobs == pytest.approx({"3": values[4 + 3], "4": values[4 + 4]}, abs=1e-5)


async def test_without_a_template_the_start_is_on_the_next_line(tmp_path: Path) -> None:
    client = EmbeddedClient.load(save_model(tmp_path, chat_template=None))
    prompt = [Message(role="user", content="1+2="), Message(role="assistant", content="#")]
    sampling = Sampling(temperature=1, max_tokens=2)
    drawn = await client.sample(prompt, sampling, seeds=(0,), request_id="r")
    await client.aclose()
    assert drawn.usage["prompt_tokens"] == 6


MODELS = Path(os.environ.get("EGRM_MODELS", "/nonexistent"))
REAL = sorted(folder.name for folder in MODELS.iterdir() if folder.is_dir()) if MODELS.is_dir() else ["no model"]


@pytest.fixture(params=REAL)
def real(request: pytest.FixtureRequest) -> ModelTokens:
    folder = MODELS / request.param
    if not folder.is_dir():
        pytest.skip("EGRM_MODELS names no folder with models; `make test` unpacks one")
    from transformers import AutoTokenizer

    return tokens_of(AutoTokenizer.from_pretrained(folder, local_files_only=True))


@pytest.mark.parametrize("labels", ["ABC", "12345"])
def test_a_label_after_the_bold_mark_is_one_token(real: ModelTokens, labels: str) -> None:
    prompt = [Message(role="user", content="Which one?"), Message(role="assistant", content="**")]
    prompt_ids, ids = real.label_ids(prompt, list(labels))
    for label, token in zip(labels, ids, strict=True):
        text = text_of(real, "Which one?", f"**{label}**")
        assert real._encoded(text) == [*prompt_ids, token, *real._encoded("**")]


@pytest.mark.parametrize("start", [BOX, "**"])
def test_the_template_of_a_model_ends_in_the_start(real: ModelTokens, start: str) -> None:
    assert text_of(real, "6*7?", start).endswith(f"6*7?<|im_end|>\n<|im_start|>assistant\n{start}")
