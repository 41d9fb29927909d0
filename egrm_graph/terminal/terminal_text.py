"""Make text safe for a terminal. Escape sequences from a model, a server, or a file are shown, never executed."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from rich.console import Console
from rich.text import Text

JOINERS = "\u200c\u200d"  # used within Persian words and emoji
MAX_PIPE_CHARACTERS = 100_000
"""The most characters of one text that go to a pipe."""
UNSAFE = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))


def inert(text: str) -> str:
    """Escape everything that a terminal would interpret (`\\x1b`), except line breaks."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def one_line(text: str) -> str:
    """The text, inert and on one line."""
    return " ".join(inert(text).split())


def bounded(text: str, most: int = MAX_PIPE_CHARACTERS) -> str:
    """The text on one line. After `most` characters, the line says how many follow."""
    line, unseen = one_line(text[: 2 * most]), max(0, len(text) - 2 * most)  # do not process megabytes
    if len(line) + unseen <= most:
        return line
    return f"{line[:most]} ({len(line) - most + unseen:,} more characters: --json)"


def shortened(text: str, width: int) -> str:
    """The text on one line of at most `width` characters, without its middle. The end often has the outcome."""
    if len(text) > 16 * width:  # do not process megabytes
        text = f"{text[: 8 * width]} … {text[-8 * width :]}"
    line = " ".join(inert(text).split())
    if len(line) <= width:
        return line
    tail = (width - 3) // 2
    return f"{line[: width - 3 - tail]} … {line[-tail:]}"


def when(started_at: float) -> str:
    """Format seconds since the epoch as local time."""
    try:
        return f"{datetime.fromtimestamp(started_at):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "unknown time"


def print_error(message: str) -> None:
    """Print one line to standard error."""
    console = Console(stderr=True, highlight=False)
    console.print(Text.assemble(("egrm: ", "bold red"), " ".join(inert(message).split())), soft_wrap=True)


def _escaped(character: str) -> str:
    if character == "\n" or character in JOINERS or unicodedata.category(character) not in UNSAFE:
        return character
    return character.encode("unicode_escape").decode("ascii")
