"""Turns rows into tokens. The loss covers the tokens of the completion and the one that ends it, and no other.

The prompt has the tokens that a client sends for it. The completion is tokenized on its own, since that is what the
model writes after these tokens. It ends with what the chat template writes after a turn of the assistant or, if that is
nothing, with the tokenizer's end token.

Differs from TRL's own preparation, which tokenizes prompt and completion together, and cuts long rows at the end: here
a token never spans the border, and a row that is too long is left out, since a completion without its end would teach
the model not to stop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from egrm_graph.clients.client import prompt_text
from egrm_graph.errors import ModelError
from egrm_graph.fine_tuning.completion_rows import ChatTurn, CompletionRow
from egrm_graph.verification import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""The label of a token without a loss."""
_SAMPLE = "12345"

TokenRow = dict[str, list[int]]
"""`input_ids`, and `labels` of the same length."""


def written_prompt(messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase) -> str | tuple[ChatTurn, ...]:
    """Chat messages or, for a model without a chat template, the text that it continues, as the client sends it."""
    if not tokenizer.chat_template:
        return prompt_text(messages, "\n")
    return tuple(ChatTurn.model_validate(message) for message in messages)


def trl_prompt(prompt: str | tuple[ChatTurn, ...]) -> object:
    """The prompt as TRL tokenizes it: a text, or messages."""
    return prompt if isinstance(prompt, str) else [turn.model_dump() for turn in prompt]


@dataclass
class RowTokenizer:
    """Tokenizes rows, and counts those that are left out."""

    tokenizer: PreTrainedTokenizerBase
    max_tokens: int | None
    template_options: Mapping[str, Any]
    """Options of the chat template, such as `enable_thinking`."""
    left_out: int = 0

    def rows(self, rows: Iterable[CompletionRow]) -> list[TokenRow]:
        """The rows that are not too long.

        Raises:
            ModelError: a row has messages, and the chat template is missing or refuses them.
        """
        found = []
        for row in rows:
            tokens = self._row(row)
            if self.max_tokens is not None and len(tokens["input_ids"]) > self.max_tokens:
                self.left_out += 1
            else:
                found.append(tokens)
        return found

    def _row(self, row: CompletionRow) -> TokenRow:
        prompt = self.prompt_ids(row.prompt)
        if isinstance(row.completion, str):
            text, ending = row.completion, str(self.tokenizer.eos_token)
        else:
            text, ending = row.completion[0].content, self.turn_end()
        completion = self._encoded(text if text.endswith(ending) else text + ending)
        return {"input_ids": [*prompt, *completion], "labels": [IGNORED] * len(prompt) + completion}

    def prompt_ids(self, prompt: str | tuple[ChatTurn, ...]) -> list[int]:
        """The tokens of a prompt, up to where the model starts to write."""
        if not isinstance(prompt, str):
            return self._encoded(self._rendered(prompt, add_generation_prompt=True))
        ids: list[int] = self.tokenizer(prompt)["input_ids"]
        return ids[:-1] if ids and ids[-1] == self.tokenizer.eos_token_id else ids

    def turn_end(self) -> str:
        """What ends a turn of the assistant."""
        turns = (ChatTurn(role="user", content="1"), ChatTurn(role="assistant", content=_SAMPLE))
        return self._rendered(turns).rpartition(_SAMPLE)[2].strip() or str(self.tokenizer.eos_token)

    def _rendered(self, turns: tuple[ChatTurn, ...], **options: Any) -> str:
        if not self.tokenizer.chat_template:
            raise ModelError(
                "a row has chat messages, but the model has no chat template; give the model one, or write prompt and "
                "completion as texts"
            )
        from jinja2 import TemplateError

        messages = [turn.model_dump() for turn in turns]
        options |= self.template_options
        try:
            return str(self.tokenizer.apply_chat_template(messages, tokenize=False, **options))
        except TemplateError as error:
            raise ModelError(f"the chat template of the model refuses a row: {error}") from error

    def _encoded(self, text: str) -> list[int]:
        """The tokens of a text in which special tokens are written out."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False)
        return ids
