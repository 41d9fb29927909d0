"""Reads JSON lines one by one: from a file or a pipe, as far ahead as there is room, whatever is in them."""

from __future__ import annotations

import asyncio
import json
import math
import re
import threading
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from egrm_graph.errors import InputError

MAX_LINE_BYTES = 16 * 1024 * 1024
AHEAD = 64
_KINDS = {
    "question": ("a string",),
    "messages": ("a list",),
    "reference": ("a string", "a number", "true or false"),
    "candidates": ("a list",),
    "tools": ("a list",),
    "rubric": ("a string",),
}
FIELDS = tuple(_KINDS)
_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

Id = str | int | float


@dataclass(frozen=True)
class Line:
    """One line of the input. Its `error` says why it cannot be asked, and then `asked` is empty."""

    number: int
    """Counted from 1, blank lines included."""
    id: Id
    """As it stands in the line; the line's number where it has none."""
    asked: dict[str, Any]
    error: str | None = None
    others: Mapping[str, Any] = field(default_factory=dict)
    """The line's other fields."""
    again: bool = False
    """Whether an earlier line has the same id; known only where results go to a file."""


def read_line(number: int, raw: bytes) -> Line | None:
    """What is in the line; None where it is blank."""
    raw = raw.removeprefix(_BOM) if number == 1 else raw
    if not raw.strip():
        return None
    name: Id = number
    try:
        found = _parsed(raw)
        name = _id(found, number)
        others = {key: value for key, value in found.items() if key not in ("id", *FIELDS)}
        return Line(number, name, _asked(found), others=others)
    except InputError as error:
        return Line(number, name, {}, str(error))


async def read_lines(stream: BinaryIO) -> AsyncGenerator[Line]:
    """The lines that are not blank. They are read on a thread, for a pipe may make one wait."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Line | Exception | None] = asyncio.Queue()
    room = threading.Semaphore(AHEAD)
    over = threading.Event()

    def hand_over(item: Line | Exception | None) -> None:
        room.acquire()
        with suppress(RuntimeError):  # the loop has ended, and nobody waits for lines any more
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def read() -> None:
        try:
            for line in _lines(stream):
                hand_over(line)
                if over.is_set():
                    return
            hand_over(None)
        except Exception as error:  # it is raised where the lines are used
            hand_over(error)

    # Not one of the loop's own threads: those are waited for in the end, and this one may wait for a keyboard.
    threading.Thread(target=read, name="egrm-lines", daemon=True).start()
    try:
        while (item := await queue.get()) is not None:
            room.release()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        over.set()
        room.release()


def _lines(stream: BinaryIO) -> Iterator[Line]:
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                pass
            yield Line(number, number, {}, f"the line is longer than {MAX_LINE_BYTES:,} bytes")
        elif line := read_line(number, raw):
            yield line


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"the line is not UTF-8: {error.reason} at byte {error.start}") from error
    try:
        found = json.loads(text, parse_constant=_no_number)
    except RecursionError as error:
        raise InputError("the line is nested too deeply") from error
    except ValueError as error:
        raise InputError(f"the line is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"the line is not a JSON object but {_kind(found)}")
    if _SURROGATE.search(raw):
        try:
            json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise InputError("the line has half of a surrogate pair, which is no character") from error
    return found


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _id(found: dict[str, Any], number: int) -> Id:
    given = found.get("id")
    if given is None:
        return number
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise InputError(f"id is {_kind(given)}; give a string or a number")
    if isinstance(given, float) and not math.isfinite(given):
        raise InputError("id is too large a number; give it as a string")
    return given


def _asked(found: dict[str, Any]) -> dict[str, Any]:
    asked = {name: found[name] for name in FIELDS if found.get(name) is not None}
    if "question" not in asked and "messages" not in asked:
        known = ", ".join(repr(name[:40]) for name in list(found)[:8]) or "nothing"
        raise InputError(f"there is no 'question' and no 'messages'; the line has {known}")
    for name, value in asked.items():
        if _kind(value) not in _KINDS[name]:
            raise InputError(f"{name} is {_kind(value)}; give {', '.join(_KINDS[name])}")
    return asked


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
