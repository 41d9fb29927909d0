"""Server-sent events: the JSON objects in a stream of bytes, however its lines end and its chunks are cut.

It takes what servers really send, which is more than the standard allows: `data:` with or without a space, empty data,
comments, several `data:` lines for one object, `event: error`, objects without `data:`, and no blank lines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from egrm_graph.clients.vllm_errors import Broken

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Events:
    """Takes the bytes as they come and gives the objects in them. After `[DONE]` it takes nothing more."""

    def __init__(self) -> None:
        self.done = False
        self._buffer = b""
        self._data: list[bytes] = []
        self._name = b""

    def feed(self, part: bytes) -> Iterator[dict[str, Any]]:
        """The objects that are complete with this part.

        Raises:
            Broken: an event is not a JSON object.
        """
        self._buffer += part
        held = b"\r" if self._buffer.endswith(b"\r") else b""  # perhaps half of a line's end
        *lines, rest = _LINE_END.split(self._buffer.removesuffix(held))
        self._buffer = rest + held
        yield from self._objects(lines)

    def end(self) -> Iterator[dict[str, Any]]:
        """The objects in a last line that has no end."""
        lines, self._buffer = [*_LINE_END.split(self._buffer), b""], b""
        yield from self._objects(lines)

    def _objects(self, lines: list[bytes]) -> Iterator[dict[str, Any]]:
        for line in (each.removeprefix(_BYTE_ORDER_MARK) for each in lines):
            if self.done:
                return
            if not line.strip():
                self._end_event()
            elif line.lstrip().startswith(b"{") and not self._data:
                yield from self._add(line)
            else:
                field, _, value = line.partition(b":")
                if field.strip() == b"event":
                    self._name = value.strip()
                elif field.strip() == b"data" and value.strip():
                    yield from self._add(value.strip())

    def _add(self, value: bytes) -> Iterator[dict[str, Any]]:
        if value == b"[DONE]" and not self._data:
            self.done = True
            return
        self._data.append(value)
        try:
            found = json.loads(b"\n".join(self._data))
        except (ValueError, RecursionError):
            return  # the object goes on in the next line, or else it is no object when the event ends
        self._data = []
        if not isinstance(found, dict):
            raise Broken(f"a chunk of the answer is {type(found).__name__}, not a JSON object")
        yield {"error": found} if self._name == b"error" and "error" not in found else found

    def _end_event(self) -> None:
        self._name = b""
        if self._data:
            shown = b"\n".join(self._data)[:200].decode(errors="replace")
            raise Broken(f"a chunk of the answer is not JSON: {shown!r}")
