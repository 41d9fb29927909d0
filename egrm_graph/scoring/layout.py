"""How a question and a path become token ids, without torch, so that a scorer elsewhere is asked for the same ids.

Neither text is trusted. What spells a special token in them, such as `</s>`, is read as plain text; those of the
fixed text around them are real. Nothing is ever cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Self

from egrm_graph.errors import ModelError
from egrm_graph.runtime.extras import require_extra
from egrm_graph.scoring.checkpoint import read_json
from egrm_graph.scoring.input_template import Frame, Span, read_frame
from egrm_graph.scoring.scorer import Unscored

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer
    from transformers import PreTrainedTokenizerBase

CHARACTERS_A_TOKEN = 8
"""Ordinary text has fewer; one with more in the context's length is read bit by bit."""
SEAM_TOKENS = 128
"""How many tokens more the beginning of a text may have than it has within the whole, because a word was cut."""


class Layout:
    """Lays texts out in a frame and encodes them. Safe to use from several threads."""

    def __init__(self, tokenizer: Tokenizer, frame: Frame, context_tokens: int) -> None:
        """`tokenizer` is the layout's from now on: its padding and truncation are switched off."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = False
        self._tokenizer = tokenizer
        self._frame = frame
        fixed = f"{frame.before}\0{frame.between}\0{frame.after}"
        added = tokenizer.get_added_tokens_decoder()
        self._control = {
            i: token.content
            for i, token in added.items()
            if token.special or (token.content in fixed and not token.content.isspace())
        }
        # what stands for an unknown character is often a special token, and forges nothing
        self._unknown = {i for i in self._encode("\U0010fffd") if i in self._control}
        self._context_tokens = context_tokens

    @classmethod
    def load(cls, folder: Path, tokenizer: Tokenizer | None = None, context_tokens: int | None = None) -> Self:
        """The layout of the scorer in a folder; what is not handed in is read there.

        Raises:
            ModelError: the folder has no `tokenizer.json`, or something in it cannot be used.
        """
        return cls(
            tokenizer or _read_tokenizer(folder),
            read_frame(folder),
            context_tokens or _read_context_tokens(folder),
        )

    @property
    def context_tokens(self) -> int:
        """The longest row."""
        return self._context_tokens

    @property
    def control_ids(self) -> Set[int]:
        """The tokens that no question and no path can bring in."""
        return self._control.keys() - self._unknown

    def rows(self, question: str, paths: Sequence[str]) -> list[list[int] | Unscored]:
        """The token ids of each path with its question, in order; what cannot be read whole is `Unscored`."""
        return [self._row(question, path) for path in paths]

    def _row(self, question: str, path: str) -> list[int] | Unscored:
        flaw = _flaw(question, path)
        if flaw is not None:
            return flaw
        text, spans = self._frame.fill(question, path)
        if self._is_far_too_long(text):
            return Unscored(
                f"question and path are {len(text)} characters, "
                f"which is more than the {self._context_tokens} tokens that the scorer reads at most"
            )
        row = self._disarmed(text, spans)
        return row if isinstance(row, Unscored) else self._fitting(row)

    def _fitting(self, row: list[int]) -> list[int] | Unscored:
        if not row:
            return Unscored("the scorer's tokenizer has no tokens for this text")
        if len(row) > self._context_tokens:
            return Unscored(
                f"question and path are {len(row)} tokens, and the scorer reads at most {self._context_tokens}"
            )
        return row

    def _is_far_too_long(self, text: str) -> bool:
        """Told by the text's beginning, so that a huge text costs no more than one that is twice too long."""
        size = CHARACTERS_A_TOKEN * self._context_tokens
        while size < len(text):
            if len(self._encode(text[:size])) > self._context_tokens + SEAM_TOKENS:
                return True
            size *= 2
        return False

    def _disarmed(self, text: str, spans: Iterable[Span]) -> list[int] | Unscored:
        encoding = self._encoding(text, add_special_tokens=not self._frame.complete)
        ids = encoding.ids
        spots = [k for k, i in enumerate(ids) if i in self._control]
        for k in reversed(spots):
            place = encoding.token_to_chars(k)
            if place is None or not self._is_forged(ids[k], place, text, spans):  # None: added by the tokenizer
                continue
            content = self._control[ids[k]]
            plain = self._spelled_out(text[slice(*place)], content)
            if any(i in self.control_ids for i in plain):
                told = f"the text spells the special token {content!r}"
                return Unscored(f"{told}, which the scorer's tokenizer cannot read as plain text")
            ids[k : k + 1] = plain
        return ids

    def _is_forged(self, token: int, place: Span, text: str, spans: Iterable[Span]) -> bool:
        spelled = text[slice(*place)]
        if token in self._unknown and spelled.strip() != self._control[token]:
            return False
        # some tokens take the white space beside them along
        start = place[0] + len(spelled) - len(spelled.lstrip())
        end = place[1] - len(spelled) + len(spelled.rstrip())
        return any(start < span_end and span_start < end for span_start, span_end in spans)

    def _spelled_out(self, spelled: str, content: str) -> list[int]:
        """Encoded in two parts, neither of which is a special token any more."""
        cut = max(spelled.find(content), 0) + 1
        return [*self._encode(spelled[:cut]), *self._encode(spelled[cut:])]

    def _encode(self, text: str) -> list[int]:
        return self._encoding(text, add_special_tokens=False).ids

    def _encoding(self, text: str, *, add_special_tokens: bool) -> Encoding:
        # encode would hold the interpreter's lock meanwhile; encode_batch lets go of it
        return self._tokenizer.encode_batch([text], add_special_tokens=add_special_tokens)[0]


def _flaw(question: str, path: str) -> Unscored | None:
    if not path.strip():
        return Unscored("the path is empty")
    try:
        (question + path).encode()
    except UnicodeEncodeError:
        return Unscored("the question or the path is not valid Unicode")
    return None


def backend_of(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """What a transformers tokenizer encodes with.

    Raises:
        ModelError: it is written in Python and has none.
    """
    from tokenizers import Tokenizer

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        kind = type(tokenizer).__name__
        raise ModelError(f"the tokenizer is a {kind}, which has no tokenizer.json; convert it to a fast one")
    return backend


def _read_tokenizer(folder: Path) -> Tokenizer:
    file = folder / "tokenizer.json"
    if not file.exists():
        raise ModelError(f"the model in {folder} has no tokenizer.json; save it there with `tokenizer.save_pretrained`")
    require_extra("scorer", f"The scorer in {folder}")
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the reader raises nothing more exact
        raise ModelError(f"{file} cannot be read ({error}); save it there anew") from error


def _read_context_tokens(folder: Path) -> int:
    """Tokens the model can read at once: the smaller of what the model and its tokenizer say."""
    config = read_json(folder / "config.json")
    tokenizer_config = folder / "tokenizer_config.json"
    known = [
        config.get("max_position_embeddings"),
        (config.get("text_config") or {}).get("max_position_embeddings"),
        (read_json(tokenizer_config) if tokenizer_config.exists() else {}).get("model_max_length"),
    ]
    return min((int(limit) for limit in known if limit), default=2**31)
