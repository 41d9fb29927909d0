"""A small tokenizer like those of public reward models: bytes, merges, and a chat template with headers."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL = ("<|begin|>", "<|header|>", "<|body|>", "<|end|>", "<|pad|>")
CORPUS = ("the sum of seventeen and forty-eight is sixty-five, so the answer is 65\n\n", "user assistant 17+48=65") * 5
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for turn in messages %}<|header|>{{ turn['role'] }}<|body|>\n\n{{ turn['content'] | trim }}"
    "<|end|>{% endfor %}{% if add_generation_prompt %}<|header|>assistant<|body|>\n\n{% endif %}"
)


def chat_tokenizer(template: str = CHAT_TEMPLATE) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(CORPUS, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|pad|>"
    )
    tokenizer.chat_template = template
    return tokenizer
