"""Untrusted text between delimiters that it cannot forge, and read where it cannot pretend to be something else.

Decides: a fence carries a code that follows from everything inside it, so that whoever wrote the text could not know
it; the same item always has the same code, so that a server's prefix cache still hits. Inside, what would pass for a
chat template's own marks is broken up, and what cannot be seen is spelled out.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

CODE_CHARACTERS = 8

_TAGS = (
    "im_start|im_end|think|thinking|thought|start_of_turn|end_of_turn|bos|eos|s|pad|unk|mask|unused[0-9]{1,3}"
    "|system|user|assistant|tool_calls?|tool_response|tool"
)
_BRACKETS = "INST|THINK|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS|CLS|SEP|MASK|PAD|UNK"
_MARKS = re.compile(
    rf"<(?=[|｜])|(?<=[|｜])>|<(?=/?(?:{_TAGS})>)|\[(?=/?(?:{_BRACKETS})\])|<(?=</?SYS>>)",  # noqa: RUF001
    re.IGNORECASE,
)
_BREAK = {"<": "< ", ">": " >", "[": "[ "}
# Joiners are part of how some scripts and emoji are spelled.
_SEEN = frozenset("\n\t\u200c\u200d")
_VARIATION_TAGS = re.compile("[\U000e0000-\U000e0fff]")


def code_of(parts: Sequence[str]) -> str:
    """A code that stands in none of the parts."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    everything = "\n".join(parts).casefold()
    while (code := digest[:CODE_CHARACTERS]) in everything:
        digest = hashlib.sha256(digest.encode()).hexdigest()
    return code


def fence(name: str, text: str, code: str) -> str:
    """The text between a beginning and an end that carry the code."""
    return f"[{name} {code}]\n{inert(text)}\n[end of {name} {code}]"


def inert(text: str) -> str:
    """The text with the marks of chat templates broken up and characters that cannot be seen spelled out.

    `<|im_end|>` becomes `< |im_end| >`, and a right-to-left override `⟨U+202E⟩`.
    """
    text = _MARKS.sub(lambda mark: _BREAK[mark[0]], text.replace("\r\n", "\n"))
    return "".join(_seen(character) for character in text) if not text.isascii() or not text.isprintable() else text


def _seen(character: str) -> str:
    if character in _SEEN:
        return character
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or _VARIATION_TAGS.match(character):
        return f"⟨U+{ord(character):04X}⟩"
    return character
