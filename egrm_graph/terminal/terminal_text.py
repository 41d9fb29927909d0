"""Text for a terminal. What a model, a server or a file wrote is shown, and never obeyed."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from rich.console import Console
from rich.text import Text

JOINERS = "\u200c\u200d"  # parts of words in Persian, and of pictures
MOST = 100_000
"""Characters of one text that go to a pipe."""
UNSAFE = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))


def inert(text: str) -> str:
    """The text with everything that a terminal would obey spelled out (`\\x1b`), but for line breaks."""
    return text if text.isprintable() else "".join(map(_spelled, text))


def one_line(text: str) -> str:
    """The whole text, inert and on one line."""
    return " ".join(inert(text).split())


def bounded(text: str, most: int = MOST) -> str:
    """The text on one line. Where it is longer than `most` characters, the line says how many more there are."""
    line, unseen = one_line(text[: 2 * most]), max(0, len(text) - 2 * most)  # no need to go through megabytes
    if len(line) + unseen <= most:
        return line
    return f"{line[:most]} ({len(line) - most + unseen:,} more characters: --json)"


def shortened(text: str, width: int) -> str:
    """The text on one line of at most `width` characters, its middle left out; its end says how it came out."""
    if len(text) > 16 * width:  # no need to go through megabytes
        text = f"{text[: 8 * width]} … {text[-8 * width :]}"
    line = " ".join(inert(text).split())
    if len(line) <= width:
        return line
    tail = (width - 3) // 2
    return f"{line[: width - 3 - tail]} … {line[-tail:]}"


def when(started_at: float) -> str:
    """Local time, of seconds since the epoch."""
    try:
        return f"{datetime.fromtimestamp(started_at):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "at no known time"


def tell_error(message: str) -> None:
    """One line on standard error."""
    console = Console(stderr=True, highlight=False)
    console.print(Text.assemble(("egrm: ", "bold red"), " ".join(inert(message).split())), soft_wrap=True)


def _spelled(character: str) -> str:
    if character == "\n" or character in JOINERS or unicodedata.category(character) not in UNSAFE:
        return character
    return character.encode("unicode_escape").decode("ascii")
