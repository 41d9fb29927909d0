"""The file of results: one line for each line of the input that is not blank.

In the order of the input, the number of its whole lines tells where an interrupted run has to go on, and their ids
whether it is the same input. Where results are written as they come, so that a kill loses none that was there, their
ids tell which lines are done, and the file is put in order in the end. A last line without its end was being written
when the run was killed; it is cut off and asked again.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from egrm_graph.cli.answering import Answer, Result
from egrm_graph.cli.lines import Id, Line
from egrm_graph.errors import InputError


def encode(result: Result[Answer]) -> bytes:
    """One line of results: strict JSON in ASCII, so that no text in it can break the line or reach a terminal."""
    line = result.line
    if result.answer is not None:
        try:
            return _encode({"id": line.id, **result.answer})
        except ValueError as error:  # a number that JSON does not have
            result = Result(line, None, f"the result cannot be written as JSON: {error}")
    return _encode({"id": line.id, "line": line.number, "error": result.error})


def _encode(value: dict[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False).encode() + b"\n"


def done_before(file: Path) -> list[Id]:
    """The ids of the whole lines in a file of results; none where there is no file.

    Raises:
        InputError: the file holds something else.
    """
    if not file.exists():
        return []
    with file.open("rb") as stream:
        whole = (raw for raw in stream if raw.endswith(b"\n"))
        return [_id_of(file, number, raw) for number, raw in enumerate(whole, start=1)]


async def pass_over(lines: AsyncIterator[Line], done: Sequence[Id], file: Path) -> None:
    """Takes the lines off that have their results already.

    Raises:
        InputError: the results are of another input.
    """
    wrong = f"{file} does not belong to this input"
    cure = "name another --output, or start again with --overwrite"
    for number, name in enumerate(done, start=1):
        line = await anext(lines, None)
        if line is None:
            raise InputError(f"{wrong}: it has {len(done)} results, and the input {number - 1} lines; {cure}")
        if name != line.id or type(name) is not type(line.id):
            told = f"its result {number} has the id {name!r}, and line {line.number} of the input {line.id!r}"
            raise InputError(f"{wrong}: {told}; {cure}")


async def not_done(lines: AsyncIterator[Line], done: Collection[Id], order: list[Id]) -> AsyncIterator[Line]:
    """The lines that have no result yet. Every line's id goes to `order`; one that was there before is an error."""
    seen: set[Id] = set()
    left = Counter(done)
    async for line in lines:
        again = line.id in seen
        if not again:
            seen.add(line.id)
            order.append(line.id)
        if left[line.id]:
            left[line.id] -= 1
        elif again:
            yield replace(line, asked={}, error=f"the id {line.id!r} was used before; give each line its own")
        else:
            yield line


def put_in_order(file: Path, order: Sequence[Id]) -> None:
    """Sorts the results by the order of the input; of those with one id, the first line's is not an error."""
    place = {name: i for i, name in enumerate(order)}

    def key(raw: bytes) -> tuple[int, bool]:
        found = json.loads(raw)
        return place.get(found["id"], len(place)), "error" in found

    with file.open("rb") as stream:
        rows = sorted(stream, key=key)
    beside = file.with_name(f"{file.name}.sorted")
    beside.write_bytes(b"".join(rows))
    beside.replace(file)


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


def _id_of(file: Path, number: int, raw: bytes) -> Id:
    try:
        found: Id = json.loads(raw)["id"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"line {number} of {file} is no result of this command; name another --output") from error
    return found
