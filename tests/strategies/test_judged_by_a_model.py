"""The strategies for candidates with a model in this process. It is untrained: nothing that it writes can be read."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from egrm_graph import Settings, build_graph
from egrm_graph.clients.embedded import EmbeddedClient

CONTEXT = 4096
PAIR: Any = {"question": "What is 17+48?", "candidates": ["It is 65.", "It is 66."]}


def save_bytes_model(folder: Path) -> Path:
    """A model with a token for each byte."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {"<pad>": 0, "<s>": 1, "</s>": 2, **{letter: 3 + i for i, letter in enumerate(alphabet)}}
    tokenizer = Tokenizer(models.BPE(words, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    fast.chat_template = "{{ bos_token }}{{ messages[-1]['content'] }}"
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bytes_model(tmp_path_factory.mktemp("bytes"))


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[EmbeddedClient]:
    client = EmbeddedClient.load(folder)
    yield client
    await client.aclose()


async def test_a_label_is_read_and_a_solution_that_is_cut_is_not_used(client: EmbeddedClient) -> None:
    # Of 259 tokens, the untrained model gives the labels a share of about 1 in 100.
    settings = Settings(
        task="pairwise",
        model=client.name,
        strategy="mixed",
        mixed_by="label",
        min_label_mass=0.0,
        paths=2,
        path_max_tokens=8,
    )
    graph = build_graph(settings, client=client, scorer=None)
    verdict = (await graph.ainvoke(PAIR))["verification"]
    assert verdict["route"] == "reasoned"
    assert "the model says that there is " in verdict["reasons"][0]
    assert "with a probability of 0.5" in verdict["reasons"][0]
    depth = "judged in depth" in verdict["reasons"][0]
    assert ("solution_lost" in verdict.get("reason_codes", [])) == depth
    assert verdict["usage"]["requests"] == 2 + 1 + depth + 2  # two orders, the label, the solution, two judgments
    judgments = [path.get("judgment") for path in verdict["paths"]]
    assert [(each["structure"], each["units"]) for each in judgments if each is not None] == [("plain", [])] * 2


async def test_an_improbable_label_is_asked_for_in_words(client: EmbeddedClient) -> None:
    settings = Settings(
        task="pairwise",
        model=client.name,
        strategy="mixed",
        mixed_by="label",
        label_probabilities="auto",
        paths=2,
        path_max_tokens=8,
        fast_max_tokens=4,
    )
    graph = build_graph(settings, client=client, scorer=None)
    verdict = (await graph.ainvoke(PAIR))["verification"]
    assert verdict["usage"]["requests"] == 2 + 2 + 2
    lost = (
        "the structure of the judgments was not chosen: the model's reply is neither of the labels; they cover breadth"
    )
    assert lost in verdict["reasons"]
    assert verdict["status"] != "ok"
