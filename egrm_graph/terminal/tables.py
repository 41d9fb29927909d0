"""Tables that fit their terminal. No cell is ever cut, and no column is dropped.

Where a table is too wide, it first narrows its gaps, then moves the columns marked `below` to lines under each row,
then breaks cells between words, and at last prints each row as a list of headings and cells. A pipe or a file has no
width: each row is one line there.
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
"""The width, in characters, of what has none."""
GAPS = (2, 1)
"""Between columns: as it should be, and where room is short."""
LONGEST_WORD = 20
"""A longer word may be broken, to leave room for other columns."""
_WORD = re.compile(r"\s*(\[[^\[\]]{1,24}\]|\S+(?: %)?)")
"""An interval stays in one piece."""


def standard_output() -> Console:
    """Standard output: as wide as its terminal, or without a width where it is not one."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=UNBOUNDED)


@dataclass(frozen=True)
class Column:
    """One column."""

    heading: str = ""
    right: bool = False
    """Whether its cells are aligned to the right, as numbers are."""
    below: bool = False
    """Whether it may move to lines under its row. Only the last columns may."""


class Table:
    """Rows of cells, printed by a rich `Console`. Texts have to be inert already."""

    def __init__(self, *columns: Column | str, title: str = "") -> None:
        self._columns = [Column(column) if isinstance(column, str) else column for column in columns]
        self._title = title
        self._rows: list[list[Text]] = []

    def add_row(self, *cells: Text | str) -> None:
        """One cell for each column."""
        if len(cells) != len(self._columns):
            raise ValueError(f"a row of {len(cells)} cells in a table of {len(self._columns)} columns")
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

    def _lines(self, room: int) -> Iterator[Text]:
        if self._title:
            yield from _broken(Text(self._title, "italic"), room)
        n_beside = len(self._columns)
        widths, gap = self._widths(n_beside, room)
        if widths is None:
            n_beside = sum(not column.below for column in self._columns)
            widths, gap = self._widths(n_beside, room)
        if widths is None:
            widths, gap = self._narrowed(n_beside, room)
        yield from self._listed(room) if widths is None else self._tabled(widths, gap, room)
        if self._title:  # there may be another table
            yield Text()

    def _widths(self, n: int, room: int) -> tuple[list[int] | None, int]:
        """Of the first `n` columns with every cell on one line, and the gap; None where there is no room for them."""
        natural = self._natural(n)
        gap = next((gap for gap in GAPS if sum(natural) + gap * (n - 1) <= room), None)
        return (None, 0) if gap is None else (natural, gap)

    def _narrowed(self, n: int, room: int) -> tuple[list[int] | None, int]:
        """Widths for cells that are broken between words; None where there is no room for that either."""
        natural, least = self._natural(n), self._least(n)
        gap = next((gap for gap in GAPS if sum(least) + gap * (n - 1) <= room), None)
        return (None, 0) if gap is None else (_fitted(natural, least, room - gap * (n - 1)), gap)

    def _natural(self, n: int) -> list[int]:
        return [max(cell.cell_len for cell in self._column(i)) for i in range(n)]

    def _least(self, n: int) -> list[int]:
        return [max(_longest_word(cell) for cell in self._column(i)) for i in range(n)]

    def _column(self, i: int) -> list[Text]:
        return [Text(self._columns[i].heading), *(row[i] for row in self._rows)]

    def _tabled(self, widths: Sequence[int], gap: int, room: int) -> Iterator[Text]:
        if any(column.heading for column in self._columns):
            headings = [Text(column.heading, "bold") for column in self._columns]
            yield from self._row(headings, widths, gap, room)
        for row in self._rows:
            yield from self._row(row, widths, gap, room)

    def _row(self, cells: Sequence[Text], widths: Sequence[int], gap: int, room: int) -> Iterator[Text]:
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
            yield from (Text.assemble("  ", part) for part in _broken(cell, max(1, room - 2)) if part)

    def _listed(self, room: int) -> Iterator[Text]:
        """Each row as a list, for rows of more columns than there is room for."""
        width = max(cell_len(column.heading) for column in self._columns)
        for i, row in enumerate(self._rows):
            if i:
                yield Text()
            for column, cell in zip(self._columns, row, strict=True):
                if width + 2 + min(_longest_word(cell), LONGEST_WORD) <= room:
                    heading = Text(column.heading.ljust(width + 2 if width else 0), "bold")
                    parts = _broken(cell, room - len(heading))
                    for j, part in enumerate(parts):
                        yield Text.assemble(heading if j == 0 else " " * len(heading), part)
                else:
                    yield from _broken(Text.assemble((f"{column.heading} ".lstrip(), "bold"), cell), room)


def _fitted(natural: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths that add up to `room` at the most. The widest columns give way."""
    widths = [min(width, room) for width in natural]
    while sum(widths) > room:
        i = max(range(len(widths)), key=lambda i: widths[i] if widths[i] > least[i] else 0)
        widths[i] -= 1
    return widths


def _longest_word(text: Text) -> int:
    return min(LONGEST_WORD, max((cell_len(word[1]) for word in _WORD.finditer(text.plain)), default=0))


def _broken(text: Text, width: int) -> list[Text]:
    """The text in lines of at most `width` characters, broken between words where words are no longer than that."""
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
    """The word, in parts where it is too long. A character may be two cells wide."""
    start = taken = 0
    for i, character in enumerate(word):
        taken += cell_len(character)
        if taken > width and i > start:
            yield word[start:i]
            start, taken = i, cell_len(character)
    yield word[start:]
