"""Converts prompts, choices, and labels to a local model's tokens, and tokens to completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from egrm_graph.answers.thinking import closing_of
from egrm_graph.clients.client import Completion, prompt_text, started_turn, stopped
from egrm_graph.clients.embedded_rows import DecodingRow, SampleRequest, TokenTrie
from egrm_graph.errors import ContextTooLong, InputError, ModelError, Unsupported
from egrm_graph.settings import Thinking
from egrm_graph.verification import Message, Token

MOST_CHOICE_TOKENS = 4096


class ModelTokens:
    """A tokenizer with the facts about its model that decoding needs. Only the worker's thread uses it."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self._tokenizer = tokenizer
        self._name = name
        self.eos_ids = _eos_ids(model, tokenizer)
        pad = tokenizer.pad_token_id
        self.pad_id: int = pad if pad is not None else (self.eos_ids or [0])[0]
        self._context: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        _clear_generation_config(model)

    def rows(self, request: SampleRequest) -> list[DecodingRow]:
        """One row per seed.

        Raises:
            ContextTooLong: the prompt fills the context.
        """
        ids = (*self._ids(request.prompt, request.sampling.thinking), *(request.sampling.begins_with or ()))
        max_tokens = request.sampling.max_tokens
        if self._context is not None:
            max_tokens = min(max_tokens, self._context - len(ids))
        if max_tokens < 1:
            raise ContextTooLong(
                f"the prompt has {len(ids)} tokens and the context of {self._name} holds {self._context}, completion "
                "included; shorten the question or take a model with a longer context"
            )
        allowed = self._trie(request.sampling.choices) if request.sampling.choices else None
        return [DecodingRow(request, ids, seed, max_tokens, allowed) for seed in request.seeds]

    @property
    def continues_prompt(self) -> bool:
        """Whether the tokenizer has no chat template, and so no turns."""
        return not self._tokenizer.chat_template

    def ends_in_stop(self, row: DecodingRow, drawn: Sequence[int]) -> bool:
        """Whether the tokens drawn so far end in one of the row's stop texts."""
        longest = max(len(text.encode()) for text in row.sampling.stop)  # each token has at least one byte
        tail = self._text(drawn[-longest - 4 :])
        return any(text in tail for text in row.sampling.stop)

    def completion(self, row: DecodingRow) -> Completion:
        ids, begins_with = row.token_ids, row.sampling.begins_with
        wanted = row.sampling.logprobs > 0
        written = ids[:-1] if row.finish_reason == "stop" and ids[-1] in self.eos_ids else ids
        completion = Completion(
            text=self._text([*(begins_with or ()), *written]),
            finish_reason=row.finish_reason or "abort",
            n_tokens=len(ids),
            token_ids=tuple(ids),
            tokens=tuple(self._decoded([token]) for token in ids) if wanted else None,
            logprobs=tuple(row.logprobs) if wanted else None,
            top_logprobs=tuple(self._named(top) for top in row.top_logprobs) if wanted else None,
            before=len(self._text(begins_with)) if begins_with else 0,
            likeliest=None if begins_with is None else tuple(map(self._likeliest, row.top_logprobs)),
        )
        return stopped(completion, row.sampling.stop)

    def label_ids(self, prompt: Sequence[Message], labels: Sequence[str]) -> tuple[list[int], list[int]]:
        """The prompt's tokens, and the single token of each label."""
        start = started_turn(prompt)
        ids = [self._label_id(label, start) for label in labels]
        prompt_ids = self._ids(prompt, "off" if start else "default")
        if self._context is not None and len(prompt_ids) > self._context:
            raise ContextTooLong(
                f"the prompt has {len(prompt_ids)} tokens and the context of {self._name} holds {self._context}; "
                "shorten the question or take a model with a longer context"
            )
        return list(prompt_ids), ids

    def _label_id(self, label: str, start: str) -> int:
        before, tokens = self._encoded(start), self._encoded(start + label)
        added = tokens[len(before) :]
        if tokens[: len(before)] != before or len(added) != 1 or self._decoded(added) != label:
            after = f" after {start!r}" if start else ""
            raise Unsupported(
                f"the label {label!r} is not a single token of {self._name}{after} but {len(added)}; choose another "
                "label"
            )
        return added[0]

    def _ids(self, prompt: Sequence[Message], thinking: Thinking) -> tuple[int, ...]:
        if not self._tokenizer.chat_template:
            ids = self._tokenizer(prompt_text(prompt, "\n"))["input_ids"]
        else:
            # As for servers: some templates read the first name, some the second.
            on = thinking == "on"
            switch = {} if thinking == "default" else {"enable_thinking": on, "thinking": on}
            ids = self._started(prompt, switch) if started_turn(prompt) else self._templated(prompt, switch)
        if not ids:
            raise InputError("the prompt is empty; give the model a text to continue")
        return tuple(ids)

    def _templated(self, prompt: Sequence[Message], switch: dict[str, bool]) -> list[int]:
        rendered: list[int] = self._rendered(prompt, switch, add_generation_prompt=True, tokenize=True)
        return rendered

    def _started(self, prompt: Sequence[Message], switch: dict[str, bool]) -> list[int]:
        """The tokens of a prompt whose last turn goes on. If the template opens a thought there, it is closed."""
        start = started_turn(prompt)
        text = self._continued(prompt, switch)
        # What the template writes is seen in a prompt that no user wrote.
        sample = self._continued([Message(role="user", content="1"), prompt[-1]], switch)
        closing = closing_of(sample.removesuffix(start))
        return self._encoded(f"{text.removesuffix(start)}{closing}\n\n{start}" if closing else text)

    def _continued(self, prompt: Sequence[Message], switch: dict[str, bool]) -> str:
        try:
            text: str = self._rendered(prompt, switch, continue_final_message=True, tokenize=False)
        except ValueError as error:  # the template changes the message
            raise Unsupported(f"the chat template of {self._name} cannot continue a started reply: {error}") from error
        if not text.endswith(started_turn(prompt)):
            raise Unsupported(
                f"the chat template of {self._name} changes the start of the reply, {started_turn(prompt)!r}; "
                "set fast_reply='free'"
            )
        return text

    def _rendered(self, prompt: Sequence[Message], switch: dict[str, bool], **options: bool) -> Any:
        from jinja2 import TemplateError

        messages = [dict(message) for message in prompt]
        try:
            return self._tokenizer.apply_chat_template(messages, return_dict=False, **options, **switch)
        except TemplateError as error:
            raise ModelError(f"the chat template of {self._name} refuses the prompt: {error}") from error

    def _trie(self, choices: Sequence[str]) -> TokenTrie:
        if not self.eos_ids:
            raise Unsupported(f"{self._name} has no end token, so it cannot be restricted to a choice of texts")
        root = TokenTrie()
        n_tokens = 0
        for choice in choices:
            ids = self._encoded(choice)
            n_tokens += len(ids)
            if self._decoded(ids) != choice:
                raise Unsupported(f"the tokenizer of {self._name} cannot write the choice {choice!r}")
            node = root
            for token in [*ids, self.eos_ids[0]]:
                node = node.setdefault(token, TokenTrie())
        if n_tokens > MOST_CHOICE_TOKENS:
            raise Unsupported(
                f"the choices have {n_tokens} tokens, and at most {MOST_CHOICE_TOKENS} are supported; give fewer or "
                "shorter choices"
            )
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

    def _likeliest(self, top: dict[int, float]) -> list[Token]:
        return [Token(id=token, text=self._text([token]), logprob=logprob) for token, logprob in top.items()]

    def _named(self, top: dict[int, float]) -> dict[str, float]:
        named: dict[str, float] = {}
        for token, logprob in top.items():
            named.setdefault(self._decoded([token]), logprob)
        return named


def _eos_ids(model: Any, tokenizer: Any) -> list[int]:
    """All ids that end a text, from the model's generation settings and the tokenizer."""
    configured = model.generation_config.eos_token_id
    ids = configured if isinstance(configured, list) else [configured]
    return list(dict.fromkeys(token for token in [*ids, tokenizer.eos_token_id] if token is not None))


def _clear_generation_config(model: Any) -> None:
    """Removes the model's own generation settings. `generate` would use them for whatever is not set."""
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig()
