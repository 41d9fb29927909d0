"""Put untrusted text between delimiters that it cannot forge, and neutralize chat-template marks in it.

A fence has a code that is derived from everything inside it, so the author of the text cannot know it. The same item
always has the same code, so a server's prefix cache still hits. Marks of chat templates inside the text are broken up,
and invisible characters are spelled out.
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
# Some scripts and emoji need joiners.
_UNESCAPED = frozenset("\n\t\u200c\u200d")
_VARIATION_TAGS = re.compile("[\U000e0000-\U000e0fff]")


def code_of(parts: Sequence[str]) -> str:
    """Return a code that does not occur in any of the parts."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    everything = "\n".join(parts).casefold()
    while (code := digest[:CODE_CHARACTERS]) in everything:
        digest = hashlib.sha256(digest.encode()).hexdigest()
    return code


def fence(name: str, text: str, code: str) -> str:
    """Return the text between an opening and a closing line with the code."""
    return f"[{name} {code}]\n{inert(text)}\n[end of {name} {code}]"


def inert(text: str) -> str:
    """Break up the marks of chat templates in a text, and spell out invisible characters.

    `<|im_end|>` becomes `< |im_end| >`, and a right-to-left override becomes `⟨U+202E⟩`.
    """
    text = _MARKS.sub(lambda mark: _BREAK[mark[0]], text.replace("\r\n", "\n"))
    return "".join(_visible(character) for character in text) if not text.isascii() or not text.isprintable() else text


def _visible(character: str) -> str:
    if character in _UNESCAPED:
        return character
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or _VARIATION_TAGS.match(character):
        return f"⟨U+{ord(character):04X}⟩"
    return character
