"""Reads JSON lines from a file or a pipe, a limited number ahead, whatever they contain."""

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
    """One line of the input. If it cannot be asked, `error` has the reason, and `inputs` is empty."""

    number: int
    """Counted from 1, blank lines included."""
    id: Id
    """The id in the line, or the line number without one."""
    inputs: dict[str, Any]
    """The input of the graph."""
    error: str | None = None
    others: Mapping[str, Any] = field(default_factory=dict)
    """The other fields of the line."""
    again: bool = False
    """Whether an earlier line has the same id. Set only if the results go to a file."""


def read_line(number: int, raw: bytes) -> Line | None:
    """Parse a line; None if it is blank."""
    raw = raw.removeprefix(_BOM) if number == 1 else raw
    if not raw.strip():
        return None
    name: Id = number
    try:
        found = _parsed(raw)
        name = _id(found, number)
        others = {key: value for key, value in found.items() if key not in ("id", *FIELDS)}
        return Line(number, name, _inputs(found), others=others)
    except InputError as error:
        return Line(number, name, {}, str(error))


async def read_lines(stream: BinaryIO) -> AsyncGenerator[Line]:
    """Read the lines that are not blank. A thread reads them, because a pipe may block."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Line | Exception | None] = asyncio.Queue()
    free_slots = threading.Semaphore(AHEAD)
    closed = threading.Event()

    def put(item: Line | Exception | None) -> None:
        free_slots.acquire()
        with suppress(RuntimeError):  # the loop has ended, and nothing reads the lines
            loop.call_soon_threadsafe(queue.put_nowait, item)

    def read() -> None:
        try:
            for line in _lines(stream):
                put(line)
                if closed.is_set():
                    return
            put(None)
        except Exception as error:  # raised where the lines are used
            put(error)

    # Not a thread of the loop, because the loop waits for those at the end, and this one may wait for a keyboard.
    threading.Thread(target=read, name="egrm-lines", daemon=True).start()
    try:
        while (item := await queue.get()) is not None:
            free_slots.release()
            if isinstance(item, Exception):
                raise item
            yield item
    finally:
        closed.set()
        free_slots.release()


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
        found = json.loads(text, parse_constant=_refuse_constant)
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
            raise InputError("the line has half of a surrogate pair, which is not a character") from error
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _id(found: dict[str, Any], number: int) -> Id:
    name = found.get("id")
    if name is None:
        return number
    if isinstance(name, bool) or not isinstance(name, str | int | float):
        raise InputError(f"id is {_kind(name)}; use a string or a number")
    if isinstance(name, float) and not math.isfinite(name):
        raise InputError("id is too large for a number; write it as a string")
    return name


def _inputs(found: dict[str, Any]) -> dict[str, Any]:
    inputs = {name: found[name] for name in FIELDS if found.get(name) is not None}
    if "question" not in inputs and "messages" not in inputs:
        known = ", ".join(repr(name[:40]) for name in list(found)[:8]) or "nothing"
        raise InputError(f"the line has neither 'question' nor 'messages', but {known}; add one of them")
    for name, value in inputs.items():
        if _kind(value) not in _KINDS[name]:
            raise InputError(f"{name} is {_kind(value)}; use {_alternatives(_KINDS[name])}")
    return inputs


def _alternatives(kinds: tuple[str, ...]) -> str:
    return kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])}, or {kinds[-1]}"


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
