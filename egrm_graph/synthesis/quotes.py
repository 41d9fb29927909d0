"""Finds what a text quotes or says that its sources do not have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from egrm_graph.messages.fencing import inert

_QUOTE = re.compile(r'"([^"\n]+)"|“([^”\n]+)”')
_GAP = re.compile(r"\s*(?:\.\.\.|…|\[\.\.\.\]|\[…\])\s*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_EDGES = " \t.,;:!?"


def invented_quotes(text: str, sources: Sequence[str]) -> list[str]:
    """The quotations in double quotation marks that are in no source. Spaces, case, punctuation at the ends, and
    ellipses do not matter."""
    known = [_plain(inert(source)) for source in sources]
    return [quote for found in _QUOTE.findall(text) if (quote := found[0] or found[1]) and not _in(quote, known)]


def _in(quote: str, known: Sequence[str]) -> bool:
    parts = [part for piece in _GAP.split(quote) if (part := _plain(piece).strip(_EDGES))]
    return any(all(part in source for part in parts) for source in known)


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text."""
    return [part for piece in _SENTENCE_END.split(text) if (part := piece.strip())]


def invented_sentences(text: str, sources: Sequence[str]) -> list[str]:
    """The sentences that are in no source, word for word."""
    return [sentence for sentence in sentences(text) if not any(sentence in source for source in sources)]


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
