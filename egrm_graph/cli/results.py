"""The file of results: one line for each line of the input that is not blank.

Each result is written as soon as it is ready, so that a kill loses only what is under way. Once all are there, the file
is sorted into the order of the input. Until then, a result finds its line by its id. Where several lines share an id,
the results of all but the first also carry the `line`. A last line without a line break was being written when the run
was killed: it is cut off, and its question is asked again.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from egrm_graph.cli.answering import Answer, Result
from egrm_graph.cli.json_lines import Id, Line
from egrm_graph.errors import InputError


class Mark(NamedTuple):
    """What a line of the input, or its result, is recognized by."""

    id: str
    """The id as JSON, so that 1, 1.0, and "1" are three ids."""
    line: int | None
    """The line's number; None for a result that does not carry it."""


class Order:
    """The lines of the input, in order."""

    def __init__(self, *, unique_ids: bool = False) -> None:
        """With `unique_ids`, a line whose id was used before gets an error instead of a result."""
        self.marks: list[Mark] = []
        self._unique_ids = unique_ids
        self._seen: set[str] = set()

    def add(self, line: Line) -> Line:
        """The line, marked where its id was used before."""
        mark = mark_of(line)
        again = mark.id in self._seen
        self._seen.add(mark.id)
        self.marks.append(mark)
        if not again:
            return line
        if not self._unique_ids:
            return replace(line, again=True)
        return replace(line, asked={}, error=f"the id {line.id!r} was used before; give each line its own")


class Unplaced:
    """Results that have not found their line yet."""

    def __init__(self, results: Sequence[Mark]) -> None:
        self._numbered = {mark.line: (mark.id, i) for i, mark in enumerate(results) if mark.line is not None}
        self._others: defaultdict[str, deque[int]] = defaultdict(deque)
        for i, mark in enumerate(results):
            if mark.line is None:
                self._others[mark.id].append(i)

    @property
    def ids(self) -> list[str]:
        """The ids of the results that are left."""
        return [name for name, _ in self._numbered.values()] + [name for name, found in self._others.items() if found]

    def take(self, line: Mark) -> int | None:
        """The index of the line's result; None where it has none.

        Raises:
            InputError: the result is of another input.
        """
        if line.line in self._numbered:
            name, i = self._numbered.pop(line.line)
            if name != line.id:
                raise InputError(f"its result of line {line.line} has the id {name}, and the input has {line.id} there")
            return i
        found = self._others.get(line.id)
        return found.popleft() if found else None


def mark_of(line: Line) -> Mark:
    return Mark(json.dumps(line.id), line.number)


def encode(result: Result[Answer], *, numbered: bool = False) -> bytes:
    """One line of results: strict JSON in ASCII, so that no text in it can break the line or reach a terminal.

    With `numbered`, the result of a line whose id was used before carries the line's number.
    """
    line = result.line
    number = {"line": line.number} if numbered and line.again else {}
    if result.answer is not None:
        try:
            return _encode({"id": line.id, **number, **result.answer})
        except ValueError as error:  # a number that JSON does not have
            result = Result(line, None, f"the result cannot be written as JSON: {error}")
    return _encode({"id": line.id, "line": line.number, "error": result.error})


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False).encode() + b"\n"


def done_before(file: Path) -> list[Mark]:
    """What the whole lines in a file of results are recognized by; nothing where there is no file.

    Raises:
        InputError: the file holds something else.
    """
    if not file.exists():
        return []
    with file.open("rb") as stream:
        whole = (raw for raw in stream if raw.endswith(b"\n"))
        return [_mark(file, number, raw) for number, raw in enumerate(whole, start=1)]


async def pass_over(lines: AsyncIterator[Line], done: Sequence[Mark], file: Path, order: Order) -> list[Line]:
    """Reads lines until every result has found its own. The lines in between that have no result are returned.

    Raises:
        InputError: the results are of another input.
    """
    wrong = f"{file} does not belong to this input"
    cure = "name another --output, or start over with --overwrite"
    unplaced, rest = Unplaced(done), list[Line]()
    n_left = len(done)
    while n_left:
        line = await anext(lines, None)
        if line is None:
            raise InputError(f"{wrong}: the input has no line for its result with the id {unplaced.ids[0]}; {cure}")
        try:
            found = unplaced.take(mark_of(line))
        except InputError as error:
            raise InputError(f"{wrong}: {error}; {cure}") from error
        line = order.add(line)
        n_left -= found is not None
        rest += [line] if found is None else []
    return rest


async def remaining(first: Sequence[Line], lines: AsyncIterator[Line], order: Order) -> AsyncIterator[Line]:
    """The lines that were passed over without a result, and then the rest of the input."""
    for line in first:
        yield line
    async for line in lines:
        yield order.add(line)


def put_in_order(file: Path, order: Order) -> None:
    """Sorts the results into the order of the input, and takes off the line numbers that it needed for that."""
    file = file.resolve()  # a link stays a link
    sibling = file.with_name(f"{file.name}.sorted")
    with file.open("rb") as stream, sibling.open("wb") as out:
        marks, starts = [], [0]
        for number, raw in enumerate(stream, start=1):
            marks.append(_mark(file, number, raw))
            starts.append(starts[-1] + len(raw))
        unplaced = Unplaced(marks)
        for line in order.marks:
            if (i := unplaced.take(line)) is not None:
                stream.seek(starts[i])
                out.write(_without_number(stream.readline()))
    sibling.replace(file)


def _without_number(raw: bytes) -> bytes:
    found = json.loads(raw)
    if "line" not in found or "error" in found:
        return raw
    del found["line"]
    return _encode(found)


def open_results(file: Path, *, resume: bool) -> BinaryIO:
    """The file to append to: empty or, with `resume`, with its whole lines."""
    if not (resume and file.exists()):
        return file.open("wb")
    stream = file.open("r+b")
    stream.truncate(_end_of_whole_lines(stream))
    stream.seek(0, os.SEEK_END)
    return stream


def _end_of_whole_lines(stream: BinaryIO) -> int:
    end = 0
    for raw in stream:
        end += len(raw) if raw.endswith(b"\n") else 0
    return end


def _mark(file: Path, number: int, raw: bytes) -> Mark:
    try:
        found = json.loads(raw)
        name: Id = found["id"]
        return Mark(json.dumps(name), found.get("line"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"line {number} of {file} is not a result of this command; name another --output") from error
