from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.errors import EgrmError, ModelError, Unsupported
from tests.clients.untrained import (
    ask,
    draw,
    encode,
    forward,
    save_model,
    save_tokenizer,
)


async def test_label_logprobs_are_the_next_tokens(client: EmbeddedClient, folder: Path) -> None:
    found = await client.label_logprobs(ask("1+2="), ["3", "4"], request_id="run.judge.0")
    values = forward(folder, encode("1+2="))
    assert found.logprobs == pytest.approx({"3": values[4 + 3], "4": values[4 + 4]}, abs=1e-5)
    assert 0 < found.mass < 1


@pytest.mark.parametrize("label", ["12", "", "x"])
async def test_a_label_has_to_be_a_single_token(client: EmbeddedClient, label: str) -> None:
    with pytest.raises(Unsupported, match=repr(label)):
        await client.label_logprobs(ask("1+2="), ["3", label], request_id="run.judge.0")


async def test_a_tokenizer_without_a_chat_template_joins_the_contents(tmp_path: Path) -> None:
    client = EmbeddedClient.load(save_model(tmp_path, chat_template=None), name="base")
    assert client.name == "base"
    assert (await draw(client)).usage["prompt_tokens"] == 4
    await client.aclose()


async def test_thinking_is_switched_through_the_chat_template(tmp_path: Path) -> None:
    template = (
        "{{ messages[-1]['content'] }}"
        "{% if enable_thinking is defined %}{{ '##' if enable_thinking else '#' }}{% endif %}"
    )
    client = EmbeddedClient.load(save_model(tmp_path, chat_template=template))
    drawn = await asyncio.gather(*(draw(client, thinking=switch) for switch in ("default", "off", "on")))
    assert [each.usage["prompt_tokens"] for each in drawn] == [4, 5, 6]
    await client.aclose()


async def test_a_template_that_refuses_the_prompt_is_named(tmp_path: Path) -> None:
    template = "{{ raise_exception('no system messages, please') }}"
    client = EmbeddedClient.load(save_model(tmp_path, chat_template=template))
    with pytest.raises(ModelError, match="no system messages, please"):
        await draw(client)
    await client.aclose()


async def test_an_empty_prompt_is_refused(tmp_path: Path) -> None:
    client = EmbeddedClient.load(save_model(tmp_path, chat_template=None))
    with pytest.raises(EgrmError, match="empty"):
        await draw(client, "")
    await client.aclose()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        EmbeddedClient.load(tmp_path / "nowhere")


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="safetensors"):
        EmbeddedClient.load(tmp_path)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForSequenceClassification

    config = LlamaConfig(
        vocab_size=20, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForSequenceClassification(config).save_pretrained(tmp_path)
    save_tokenizer(tmp_path, None)
    with pytest.raises(ModelError, match="lm_head"):
        EmbeddedClient.load(tmp_path)


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(ModelError, match="does not load"):
        EmbeddedClient.load(tmp_path)


def test_importing_the_module_loads_no_torch() -> None:
    code = "import sys, egrm_graph.clients.embedded; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
