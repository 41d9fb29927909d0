"""Encodes a question and a path as token ids, without torch, so that a scorer on a server gets the same ids.

Neither text is trusted. A special token in them, such as `</s>`, is encoded as plain text; only those in the fixed text
of the template are real. No text is ever truncated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from egrm_graph.errors import ModelError
from egrm_graph.runtime.extras import require_extra
from egrm_graph.scoring.checkpoint import read_json
from egrm_graph.scoring.input_template import InputTemplate, Span, read_template
from egrm_graph.scoring.score_row import ScoreRow, ScoreText
from egrm_graph.scoring.scorer import EMPTY_PATH, Unscored

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer
    from transformers import PreTrainedTokenizerBase

CHARACTERS_A_TOKEN = 8
"""Ordinary text has fewer. A text with more characters per context token is first encoded in part."""
SEAM_TOKENS = 128
"""How many more tokens the beginning of a text may have on its own than within the full text: a word may be cut."""


@dataclass(frozen=True)
class _Encoded:
    """A question and a path in the template, as tokens."""

    ids: list[int]
    ends: list[int]
    """For each token, where it ends in the text; 0 for a token that the tokenizer added."""
    path: Span
    """The span of the path in the text."""

    @property
    def in_path(self) -> list[tuple[int, int]]:
        """The index and the end of each token that ends within the path."""
        start, stop = self.path
        return [(i, end) for i, end in enumerate(self.ends) if start < end <= stop]


class Layout:
    """Fills texts into a template and encodes them. Safe to use from several threads."""

    def __init__(self, tokenizer: Tokenizer, template: InputTemplate, context_tokens: int) -> None:
        """Takes over the `tokenizer`, and turns off its padding and truncation."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = False
        self._tokenizer = tokenizer
        self._template = template
        fixed = f"{template.before}\0{template.between}\0{template.after}"
        added = tokenizer.get_added_tokens_decoder()
        self._control = {
            i: token.content
            for i, token in added.items()
            if token.special or (token.content in fixed and not token.content.isspace())
        }
        # the token for an unknown character is often a special one, but forges nothing
        self._unknown = {i for i in self._encode("\U0010fffd") if i in self._control}
        self._context_tokens = context_tokens

    @classmethod
    def load(cls, folder: Path, tokenizer: Tokenizer | None = None, context_tokens: int | None = None) -> Self:
        """The layout of the scorer in a folder. Reads what is not passed in from there.

        Raises:
            ModelError: the folder has no `tokenizer.json`, or something in it cannot be used.
        """
        return cls(
            tokenizer or _read_tokenizer(folder),
            read_template(folder),
            context_tokens or _read_context_tokens(folder),
        )

    @property
    def context_tokens(self) -> int:
        """The maximum length of a row."""
        return self._context_tokens

    @property
    def control_ids(self) -> Set[int]:
        """The tokens that no question or path can contain."""
        return self._control.keys() - self._unknown

    def rows(self, question: str, paths: Sequence[str]) -> list[list[int] | Unscored]:
        """The token ids of each path with its question, in order; `Unscored` for a path that does not fit."""
        encoded = (self._encoded(question, path) for path in paths)
        return [each if isinstance(each, Unscored) else each.ids for each in encoded]

    def text_rows(self, question: str, texts: Sequence[ScoreText]) -> list[ScoreRow | Unscored]:
        """The rows of texts, in order; `Unscored` for a text that does not fit.

        A step is read at the last token that lies fully within the text up to its end, and within the path. So it never
        depends on what follows, not even on the template's text after the path.
        """
        return [self._text_row(question, text) for text in texts]

    @property
    def path_first(self) -> bool:
        """Whether the template has the path before the question."""
        return self._template.path_first

    @property
    def ends_with_path(self) -> bool:
        """Whether the last token of a row is the last token of its path."""
        return all(
            isinstance(row, ScoreRow) and row.places[-1] == len(row.ids) - 1
            for row in self.text_rows("1", [ScoreText("1", (1,)), ScoreText("1 1", (3,))])
        )

    def _text_row(self, question: str, text: ScoreText) -> ScoreRow | Unscored:
        path, ends = text
        encoded = self._encoded(question, path)
        if isinstance(encoded, Unscored):
            return encoded
        start, stop = encoded.path
        stripped = len(path) - len(path.lstrip()) if self._template.strips else 0
        places: list[int] = []
        tokens = iter([*encoded.in_path, (-1, stop + 1)])
        place, token_end = next(tokens)
        for number, end in enumerate(ends, 1):
            last = None
            while token_end <= min(start + end - stripped, stop):
                last = place
                place, token_end = next(tokens)
            if last is None:
                return Unscored(f"no token ends within step {number} of {len(ends)}, so its score cannot be read")
            places.append(last)
        return ScoreRow(encoded.ids, tuple(places))

    def _encoded(self, question: str, path: str) -> _Encoded | Unscored:
        flaw = _flaw(question, path)
        if flaw is not None:
            return flaw
        text, spans = self._template.fill(question, path)
        if self._is_far_too_long(text):
            return Unscored(
                f"question and path are {len(text)} characters, "
                f"which is more than the {self._context_tokens} tokens that the scorer reads at most"
            )
        encoded = self._disarmed(text, spans)
        return encoded if isinstance(encoded, Unscored) else self._fitting(encoded)

    def _fitting(self, encoded: _Encoded) -> _Encoded | Unscored:
        if not encoded.ids:
            return Unscored("the scorer's tokenizer has no tokens for this text")
        if len(encoded.ids) > self._context_tokens:
            return Unscored(
                f"question and path are {len(encoded.ids)} tokens, and the scorer reads at most {self._context_tokens}"
            )
        return encoded

    def _is_far_too_long(self, text: str) -> bool:
        """Judges by the text's beginning, so that a huge text costs no more than one that is twice too long."""
        size = CHARACTERS_A_TOKEN * self._context_tokens
        while size < len(text):
            if len(self._encode(text[:size])) > self._context_tokens + SEAM_TOKENS:
                return True
            size *= 2
        return False

    def _disarmed(self, text: str, spans: tuple[Span, Span]) -> _Encoded | Unscored:
        encoding = self._encoding(text, add_special_tokens=not self._template.complete)
        ids, ends = encoding.ids, [end for _, end in encoding.offsets]
        spots = [k for k, i in enumerate(ids) if i in self._control]
        for k in reversed(spots):
            place = encoding.token_to_chars(k)
            if place is None or not self._is_forged(ids[k], place, text, spans):  # None: the tokenizer added it
                continue
            content = self._control[ids[k]]
            plain, plain_ends = self._encoded_as_text(text[slice(*place)], content)
            if any(i in self.control_ids for i in plain):
                return Unscored(
                    f"the text contains the special token {content!r}, which the scorer's tokenizer cannot encode as "
                    "plain text"
                )
            ids[k : k + 1] = plain
            ends[k : k + 1] = [place[0] + end for end in plain_ends]
        return _Encoded(ids, ends, spans[0] if self._template.path_first else spans[1])

    def _is_forged(self, token: int, place: Span, text: str, spans: Iterable[Span]) -> bool:
        spelled = text[slice(*place)]
        if token in self._unknown and spelled.strip() != self._control[token]:
            return False
        # some tokens include the white space next to them
        start = place[0] + len(spelled) - len(spelled.lstrip())
        end = place[1] - len(spelled) + len(spelled.rstrip())
        return any(start < span_end and span_start < end for span_start, span_end in spans)

    def _encoded_as_text(self, spelled: str, content: str) -> tuple[list[int], list[int]]:
        """Encodes the text in two parts, neither of which is a special token. Gives the ids, and where each token ends
        in the text."""
        cut = max(spelled.find(content), 0) + 1
        parts = [(0, spelled[:cut]), (cut, spelled[cut:])]
        encoded = [(start, self._encoding(part, add_special_tokens=False)) for start, part in parts]
        ids = [i for _, encoding in encoded for i in encoding.ids]
        return ids, [start + end for start, encoding in encoded for _, end in encoding.offsets]

    def _encode(self, text: str) -> list[int]:
        return self._encoding(text, add_special_tokens=False).ids

    def _encoding(self, text: str, *, add_special_tokens: bool) -> Encoding:
        # `encode` holds the interpreter's lock; `encode_batch` releases it
        return self._tokenizer.encode_batch([text], add_special_tokens=add_special_tokens)[0]


def _flaw(question: str, path: str) -> Unscored | None:
    if not path.strip():
        return EMPTY_PATH
    try:
        (question + path).encode()
    except UnicodeEncodeError:
        return Unscored("the question or the path is not valid Unicode")
    return None


def backend_of(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """The encoder behind a transformers tokenizer.

    Raises:
        ModelError: it is written in Python and has no such encoder.
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
    except Exception as error:  # the reader raises nothing more specific
        raise ModelError(f"{file} cannot be read ({error}); save it there again") from error


def _read_context_tokens(folder: Path) -> int:
    """The model's context in tokens: the smaller of the model's and the tokenizer's values."""
    config = read_json(folder / "config.json")
    tokenizer_config = folder / "tokenizer_config.json"
    known = [
        config.get("max_position_embeddings"),
        (config.get("text_config") or {}).get("max_position_embeddings"),
        (read_json(tokenizer_config) if tokenizer_config.exists() else {}).get("model_max_length"),
    ]
    return min((int(limit) for limit in known if limit), default=2**31)
