"""An untrained model to draw from, and what the tests compute from it without the client."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from egrm_graph.clients.client import Completion, Completions, Meter, Sampling
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.verification import Message

LETTERS = "0123456789+-=:;#"


CONTEXT = 96


def save_tokenizer(folder: Path, chat_template: str | None) -> None:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, **{letter: 4 + i for i, letter in enumerate(LETTERS)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.chat_template = chat_template
    fast.save_pretrained(folder)


def save_model(folder: Path, chat_template: str | None = "{{ bos_token }}{{ messages[-1]['content'] }}") -> Path:
    """An untrained model: its texts mean nothing, but they are drawn as any model's are."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=20,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.25,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=True, top_k=1, repetition_penalty=5.0, eos_token_id=2, pad_token_id=0
    )
    model.save_pretrained(folder)
    save_tokenizer(folder, chat_template)
    return folder


def ask(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


async def draw(
    client: EmbeddedClient,
    text: str = "1+2=",
    *,
    seeds: Sequence[int] = (0,),
    meter: Meter | None = None,
    temperature: float = 1.0,
    max_tokens: int = 20,
    **sampling: Any,
) -> Completions:
    settings = Sampling(temperature=temperature, max_tokens=max_tokens, **sampling)
    return await client.sample(ask(text), settings, seeds=seeds, request_id="run.answer_fast.0", meter=meter)


def texts(drawn: Completions) -> list[str]:
    return [completion.text for completion in drawn.completions]


def ids_of(completion: Completion) -> tuple[int, ...]:
    assert completion.token_ids is not None
    return completion.token_ids


def forward(folder: Path, ids: list[int]) -> list[float]:
    """The next token's log-probabilities, by a plain forward pass."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(folder)(torch.tensor([ids])).logits[0, -1]
    values: list[float] = logits.log_softmax(-1).tolist()
    return values


def encode(text: str) -> list[int]:
    return [1, *(4 + LETTERS.index(letter) for letter in text)]


def without_nucleus(probabilities: list[float], top_p: float) -> set[int]:
    """The tokens outside of the nucleus."""
    order = sorted(range(len(probabilities)), key=lambda token: -probabilities[token])
    mass, inside = 0.0, set()
    for token in order:
        if mass < top_p:
            inside.add(token)
        mass += probabilities[token]
    return set(order) - inside
