"""The file of results: one line for each line of the input that is not blank.

Each result is written as soon as it is ready, so a killed run loses only the questions in progress. When all results
are written, the file is sorted into the order of the input. Until then, the id connects a result with its line. If
several lines share an id, the results of all but the first also have the `line`. If the last line has no line break,
the run was killed while writing it. It is cut off, and its question is asked again.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from egrm_graph.cli.answering import LineAnswer, LineResult
from egrm_graph.cli.json_lines import Id, Line
from egrm_graph.errors import InputError


class Mark(NamedTuple):
    """The key of a line of the input, and of its result."""

    id: str
    """The id as JSON, so 1, 1.0, and "1" are different ids."""
    line: int | None
    """The line number; None for a result without it."""


class InputOrder:
    """The lines of the input, in order."""

    def __init__(self, *, unique_ids: bool = False) -> None:
        """With `unique_ids`, a line whose id was used before gets an error instead of a result."""
        self.marks: list[Mark] = []
        self._unique_ids = unique_ids
        self._seen: set[str] = set()

    def add(self, line: Line) -> Line:
        """Add a line. Returns it with `again` set if its id was used before."""
        mark = mark_of(line)
        again = mark.id in self._seen
        self._seen.add(mark.id)
        self.marks.append(mark)
        if not again:
            return line
        if not self._unique_ids:
            return replace(line, again=True)
        return replace(line, inputs={}, error=f"the id {line.id!r} was used before; give each line its own")


class Unmatched:
    """Results that are not matched with a line yet."""

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
        """The index of the result of a line; None without one.

        Raises:
            InputError: the result belongs to another input.
        """
        if line.line in self._numbered:
            name, i = self._numbered.pop(line.line)
            if name != line.id:
                raise InputError(f"the result of line {line.line} has the id {name}, but that line has {line.id}")
            return i
        found = self._others.get(line.id)
        return found.popleft() if found else None


def mark_of(line: Line) -> Mark:
    return Mark(json.dumps(line.id), line.number)


def encode(result: LineResult[LineAnswer], *, numbered: bool = False) -> bytes:
    """One line of results as strict ASCII JSON, so no text in it can break the line or control a terminal.

    With `numbered`, the result of a line whose id was used before includes the line number.
    """
    line = result.line
    number = {"line": line.number} if numbered and line.again else {}
    if result.answer is not None:
        try:
            return _encode({"id": line.id, **number, **result.answer})
        except ValueError as error:  # a number that JSON does not have
            result = LineResult(line, None, f"the result cannot be written as JSON: {error}")
    return _encode({"id": line.id, "line": line.number, "error": result.error})


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False).encode() + b"\n"


def done_before(file: Path) -> list[Mark]:
    """The marks of the complete lines in a file of results, which may not exist yet.

    Raises:
        InputError: the file has other content.
    """
    if not file.exists():
        return []
    with file.open("rb") as stream:
        complete = (raw for raw in stream if raw.endswith(b"\n"))
        return [_mark(file, number, raw) for number, raw in enumerate(complete, start=1)]


async def match_results(lines: AsyncIterator[Line], done: Sequence[Mark], file: Path, order: InputOrder) -> list[Line]:
    """Read lines until every result is matched with its line. Returns the lines in between without a result.

    Raises:
        InputError: the results belong to another input.
    """
    problem = f"{file} does not belong to this input"
    fix = "name another --output, or start over with --overwrite"
    unmatched, unanswered = Unmatched(done), list[Line]()
    n_left = len(done)
    while n_left:
        line = await anext(lines, None)
        if line is None:
            raise InputError(f"{problem}: the input has no line for the result with the id {unmatched.ids[0]}; {fix}")
        try:
            found = unmatched.take(mark_of(line))
        except InputError as error:
            raise InputError(f"{problem}: {error}; {fix}") from error
        line = order.add(line)
        n_left -= found is not None
        unanswered += [line] if found is None else []
    return unanswered


async def remaining(first: Sequence[Line], lines: AsyncIterator[Line], order: InputOrder) -> AsyncIterator[Line]:
    """The `first` lines, and then the rest of the input."""
    for line in first:
        yield line
    async for line in lines:
        yield order.add(line)


def sort_results(file: Path, order: InputOrder) -> None:
    """Sort the results into the order of the input, and remove the line numbers that this needs."""
    file = file.resolve()  # a symbolic link stays one
    sibling = file.with_name(f"{file.name}.sorted")
    with file.open("rb") as stream, sibling.open("wb") as out:
        marks, starts = [], [0]
        for number, raw in enumerate(stream, start=1):
            marks.append(_mark(file, number, raw))
            starts.append(starts[-1] + len(raw))
        unmatched = Unmatched(marks)
        for line in order.marks:
            if (i := unmatched.take(line)) is not None:
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
    """Open the file to append to. With `resume` it keeps its complete lines, and otherwise it is empty."""
    if not (resume and file.exists()):
        return file.open("wb")
    stream = file.open("r+b")
    stream.truncate(_end_of_complete_lines(stream))
    stream.seek(0, os.SEEK_END)
    return stream


def _end_of_complete_lines(stream: BinaryIO) -> int:
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
