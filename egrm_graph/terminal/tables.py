"""Tables that fit the terminal without truncating cells or dropping columns.

A table that is too wide first narrows its gaps. Then it moves the columns marked `below` to lines under each row, then
breaks cells between words, and finally prints each row as a list of headings and cells. In a pipe or a file, the width
is unlimited: each row is one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.text import Text

UNBOUNDED = 1_000_000
"""The width, in characters, of an output without a width."""
GAPS = (2, 1)
"""The preferred and the smallest gap between columns."""
LONGEST_WORD = 20
"""Longer words may be broken to make space for other columns."""
_WORD = re.compile(r"\s*(\[[^\[\]]{1,24}\]|\S+(?: %)?)")
"""Intervals are not broken."""


def standard_output() -> Console:
    """Standard output, as wide as its terminal. Unlimited if it is not a terminal."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=UNBOUNDED)


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    heading: str = ""
    right: bool = False
    """Whether to align its cells to the right, like numbers."""
    below: bool = False
    """Whether it may move to a line under its row. Only the last columns may."""


class Table:
    """Rows of cells for a rich `Console`. The texts must already be inert."""

    def __init__(self, *columns: Column | str, title: str = "") -> None:
        self._columns = [Column(column) if isinstance(column, str) else column for column in columns]
        self._title = title
        self._rows: list[list[Text]] = []

    def add_row(self, *cells: Text | str) -> None:
        """Add a row with one cell per column."""
        if len(cells) != len(self._columns):
            raise ValueError(f"the row has {len(cells)} cells, but the table has {len(self._columns)} columns")
        self._rows.append([Text(cell) if isinstance(cell, str) else cell for cell in cells])

    @property
    def rows(self) -> list[list[str]]:
        """The cells as plain text, row by row."""
        return [[cell.plain for cell in row] for row in self._rows]

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widest = max((line.cell_len for line in self._lines(options.max_width)), default=0)
        return Measurement(widest, widest)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        yield from self._lines(options.max_width)

    def _lines(self, space: int) -> Iterator[Text]:
        if self._title:
            yield from _broken(Text(self._title, "italic"), space)
        n_side_by_side = len(self._columns)
        widths, gap = self._widths(n_side_by_side, space)
        if widths is None:
            n_side_by_side = sum(not column.below for column in self._columns)
            widths, gap = self._widths(n_side_by_side, space)
        if widths is None:
            widths, gap = self._narrowed(n_side_by_side, space)
        yield from self._listed(space) if widths is None else self._tabled(widths, gap, space)
        if self._title:  # separates it from a following table
            yield Text()

    def _widths(self, n: int, space: int) -> tuple[list[int] | None, int]:
        """The widths of the first `n` columns with every cell on one line, and the gap. None if they do not fit."""
        natural = self._natural(n)
        gap = next((gap for gap in GAPS if sum(natural) + gap * (n - 1) <= space), None)
        return (None, 0) if gap is None else (natural, gap)

    def _narrowed(self, n: int, space: int) -> tuple[list[int] | None, int]:
        """The widths of the first `n` columns with cells broken between words, and the gap. None if they do not fit."""
        natural, least = self._natural(n), self._least(n)
        gap = next((gap for gap in GAPS if sum(least) + gap * (n - 1) <= space), None)
        return (None, 0) if gap is None else (_fitted(natural, least, space - gap * (n - 1)), gap)

    def _natural(self, n: int) -> list[int]:
        return [max(cell.cell_len for cell in self._column(i)) for i in range(n)]

    def _least(self, n: int) -> list[int]:
        return [max(_longest_word(cell) for cell in self._column(i)) for i in range(n)]

    def _column(self, i: int) -> list[Text]:
        return [Text(self._columns[i].heading), *(row[i] for row in self._rows)]

    def _tabled(self, widths: Sequence[int], gap: int, space: int) -> Iterator[Text]:
        if any(column.heading for column in self._columns):
            headings = [Text(column.heading, "bold") for column in self._columns]
            yield from self._row(headings, widths, gap, space)
        for row in self._rows:
            yield from self._row(row, widths, gap, space)

    def _row(self, cells: Sequence[Text], widths: Sequence[int], gap: int, space: int) -> Iterator[Text]:
        broken = [_broken(cell, width) for cell, width in zip(cells, widths, strict=False)]
        for line in zip_longest(*broken, fillvalue=Text()):
            made = Text()
            for i, (part, width) in enumerate(zip(line, widths, strict=True)):
                padding = " " * (width - part.cell_len)
                made.append_text(Text.assemble(*((padding, part) if self._columns[i].right else (part, padding))))
                made.append(" " * gap)
            made.rstrip()
            yield made
        for cell in cells[len(widths) :]:
            yield from (Text.assemble("  ", part) for part in _broken(cell, max(1, space - 2)) if part)

    def _listed(self, space: int) -> Iterator[Text]:
        """Each row as a list, for rows of more columns than there is space for."""
        width = max(cell_len(column.heading) for column in self._columns)
        for i, row in enumerate(self._rows):
            if i:
                yield Text()
            for column, cell in zip(self._columns, row, strict=True):
                if width + 2 + min(_longest_word(cell), LONGEST_WORD) <= space:
                    heading = Text(column.heading.ljust(width + 2 if width else 0), "bold")
                    parts = _broken(cell, space - len(heading))
                    for j, part in enumerate(parts):
                        yield Text.assemble(heading if j == 0 else " " * len(heading), part)
                else:
                    yield from _broken(Text.assemble((f"{column.heading} ".lstrip(), "bold"), cell), space)


def _fitted(natural: Sequence[int], least: Sequence[int], space: int) -> list[int]:
    """Reduce the widest columns until all fit into `space`."""
    widths = [min(width, space) for width in natural]
    while sum(widths) > space:
        i = max(range(len(widths)), key=lambda i: widths[i] if widths[i] > least[i] else 0)
        widths[i] -= 1
    return widths


def _longest_word(text: Text) -> int:
    return min(LONGEST_WORD, max((cell_len(word[1]) for word in _WORD.finditer(text.plain)), default=0))


def _broken(text: Text, width: int) -> list[Text]:
    """Break the text into lines of at most `width` characters, between words if possible."""
    if text.cell_len <= width:
        return [text]
    starts, taken = list[int](), 0
    for word in _WORD.finditer(text.plain):
        start, space = word.start(1), cell_len(text.plain[word.start() : word.start(1)])
        for part in _parts(word[1], width):
            needed = cell_len(part)
            if taken and taken + space + needed > width:
                starts.append(start)
                taken = needed
            else:
                taken += space + needed
            start, space = start + len(part), 0
    lines = list(text.divide(starts))
    for line in lines:
        line.rstrip()
    return lines


def _parts(word: str, width: int) -> Iterator[str]:
    """Split a word that is too long. A character may be two cells wide."""
    start = taken = 0
    for i, character in enumerate(word):
        taken += cell_len(character)
        if taken > width and i > start:
            yield word[start:i]
            start, taken = i, cell_len(character)
    yield word[start:]
