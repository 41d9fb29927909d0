r"""What is named in an answer, and with which name: `x = 5`, `f(2) = 7`, `x \in [1, 2]`, `(x, y) = (1, 2)`.

Decides: a name belongs to its value. `x = 5` answers as `5` does, and is not `y = 5`.
"""

from __future__ import annotations

import re

NAME = r"(?:\\[a-zA-Z]{1,10}|[a-zA-Z][a-zA-Z0-9']{0,9})(?:_\{[^{}]{1,4}\})?"
_NAMED = re.compile(rf"({NAME}(?:\s?\([a-zA-Z0-9, ]{{1,8}}\))?)\s*(?:==?|\\in(?![a-z]))\s*")
_NAMED_BEHIND = re.compile(r"([^=<>\\]*[0-9}])\s*=\s*(\\?[a-zA-Z]{1,2}(?:_\{[^{}]{1,4}\})?)")
_SUM_EQUALS = re.compile(r"(?:[0-9+\-*/^(). ]|\\times)*[0-9)][\s]*(?:[+\-*/^]|\\times)(?:[0-9+\-*/^(). ]|\\times)*=\s*")
_RELATION = re.compile(r"[=<>]|\\(?:le|ge|ne|in|notin)(?![a-z])")
_NAMED_TUPLE = re.compile(rf"\(\s*({NAME}(?:\s*,\s*{NAME}){{1,4}})\s*\)\s*=\s*(?=[(\[])")


def named(text: str) -> tuple[str, str]:
    """The name, empty where there is none, and what has it."""
    if (match := _NAMED.match(text)) and _is_one_thing(text[match.end() :]):
        return "".join(match[1].split()).lstrip("\\"), text[match.end() :]
    if match := _NAMED_BEHIND.fullmatch(text):
        return match[2].lstrip("\\"), match[1]
    if (match := _SUM_EQUALS.match(text)) and _is_one_thing(text[match.end() :]):
        return "", text[match.end() :]
    return "", text


def named_tuple(text: str) -> tuple[tuple[str, ...], str]:
    """The names in brackets and the tuple that is said to equal them."""
    match = _NAMED_TUPLE.match(text)
    return (tuple(re.split(r"\s*,\s*", match[1])), text[match.end() :]) if match else ((), text)


def _is_one_thing(text: str) -> bool:
    return bool(text) and not _RELATION.search(text)
