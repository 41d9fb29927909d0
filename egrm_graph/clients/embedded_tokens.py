"""Between texts and a local model's tokens: prompts in, choices and labels in, completions out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from egrm_graph.clients.client import Completion, stopped
from egrm_graph.clients.embedded_rows import Request, Row, Trie
from egrm_graph.errors import ContextTooLong, InputError, ModelError, Unsupported
from egrm_graph.settings import Thinking
from egrm_graph.verification import Message

MOST_CHOICE_TOKENS = 4096


class ModelTokens:
    """A tokenizer, with what has to be known of its model. Used from the worker's thread only."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self._tokenizer = tokenizer
        self._name = name
        self.eos_ids = _eos_ids(model, tokenizer)
        pad = tokenizer.pad_token_id
        self.pad_id: int = pad if pad is not None else (self.eos_ids or [0])[0]
        self._context: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        _neutralise(model)

    def rows(self, request: Request) -> list[Row]:
        """A row for each seed.

        Raises:
            ContextTooLong: the prompt leaves no room for a single token.
        """
        ids = self._ids(request.prompt, request.sampling.thinking)
        room = request.sampling.max_tokens
        if self._context is not None:
            room = min(room, self._context - len(ids))
        if room < 1:
            raise ContextTooLong(
                f"the prompt has {len(ids)} tokens and the context of {self._name} holds {self._context}, completion "
                "included; shorten the question or take a model with a longer context"
            )
        allowed = self._trie(request.sampling.choices) if request.sampling.choices else None
        return [Row(request, ids, seed, room, allowed) for seed in request.seeds]

    @property
    def continues_prompt(self) -> bool:
        """Without a chat template there are no turns."""
        return not self._tokenizer.chat_template

    def stops(self, row: Row, drawn: Sequence[int]) -> bool:
        """Whether the tokens drawn so far end in a text where the row's generation stops."""
        longest = max(len(text.encode()) for text in row.sampling.stop)  # a token has one byte at the least
        tail = self._text(drawn[-longest - 4 :])
        return any(text in tail for text in row.sampling.stop)

    def completion(self, row: Row) -> Completion:
        ids = row.token_ids
        wanted = row.sampling.logprobs > 0
        completion = Completion(
            text=self._text(ids[:-1] if row.finish_reason == "stop" and ids[-1] in self.eos_ids else ids),
            finish_reason=row.finish_reason or "abort",
            n_tokens=len(ids),
            token_ids=tuple(ids),
            tokens=tuple(self._decoded([token]) for token in ids) if wanted else None,
            logprobs=tuple(row.logprobs) if wanted else None,
            top_logprobs=tuple(self._named(top) for top in row.top_logprobs) if wanted else None,
        )
        return stopped(completion, row.sampling.stop)

    def label_ids(self, prompt: Sequence[Message], labels: Sequence[str]) -> tuple[list[int], list[int]]:
        """The prompt's tokens and each label's one token."""
        ids = [self._encoded(label) for label in labels]
        for label, tokens in zip(labels, ids, strict=True):
            if len(tokens) != 1 or self._decoded(tokens) != label:
                raise Unsupported(
                    f"the label {label!r} is not a single token of {self._name} but {len(tokens)}: choose another label"
                )
        prompt_ids = self._ids(prompt, "default")
        if self._context is not None and len(prompt_ids) > self._context:
            raise ContextTooLong(
                f"the prompt has {len(prompt_ids)} tokens and the context of {self._name} holds {self._context}; "
                "shorten the question or take a model with a longer context"
            )
        return list(prompt_ids), [tokens[0] for tokens in ids]

    def _ids(self, prompt: Sequence[Message], thinking: Thinking) -> tuple[int, ...]:
        if not self._tokenizer.chat_template:
            ids = self._tokenizer("\n".join(message["content"] for message in prompt))["input_ids"]
        else:
            switch = {} if thinking == "default" else {"enable_thinking": thinking == "on"}
            ids = self._templated([dict(message) for message in prompt], switch)
        if not ids:
            raise InputError("the prompt is empty; give the model something to go on from")
        return tuple(ids)

    def _templated(self, messages: list[dict[str, Any]], switch: dict[str, bool]) -> list[int]:
        from jinja2 import TemplateError

        try:
            ids: list[int] = self._tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, tokenize=True, return_dict=False, **switch
            )
        except TemplateError as error:
            raise ModelError(f"the chat template of {self._name} refuses the prompt: {error}") from error
        return ids

    def _trie(self, choices: Sequence[str]) -> Trie:
        if not self.eos_ids:
            raise Unsupported(f"{self._name} has no end token, so it cannot be held to a choice of texts")
        root = Trie()
        n_tokens = 0
        for choice in choices:
            ids = self._encoded(choice)
            n_tokens += len(ids)
            if self._decoded(ids) != choice:
                raise Unsupported(f"the tokenizer of {self._name} cannot write the choice {choice!r}")
            node = root
            for token in [*ids, self.eos_ids[0]]:
                node = node.setdefault(token, Trie())
        if n_tokens > MOST_CHOICE_TOKENS:
            raise Unsupported(f"{n_tokens} tokens of choices are too many; at most {MOST_CHOICE_TOKENS} are taken")
        return root

    def _encoded(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _decoded(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text

    def _text(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _named(self, top: dict[int, float]) -> dict[str, float]:
        named: dict[str, float] = {}
        for token, logprob in top.items():
            named.setdefault(self._decoded([token]), logprob)
        return named


def _eos_ids(model: Any, tokenizer: Any) -> list[int]:
    """All ids that end a text: those of the model's generation settings, and the tokenizer's own."""
    given = model.generation_config.eos_token_id
    ids = given if isinstance(given, list) else [given]
    return list(dict.fromkeys(each for each in [*ids, tokenizer.eos_token_id] if each is not None))


def _neutralise(model: Any) -> None:
    """`generate` fills what is not set from the model's own generation settings: leave nothing there to fill from."""
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig()
