"""Server-sent events: reads the JSON objects in a stream of bytes, whatever its line ends and chunk borders.

It accepts what servers really send, which is more than the standard allows: `data:` with or without a space, empty
data, comments, several `data:` lines for one object, `event: error`, objects without `data:`, and no blank lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from egrm_graph.clients.server_errors import RetryableError
from egrm_graph.clients.server_json import loads

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventReader:
    """Reads the objects in a stream as its bytes arrive. It ignores everything after `[DONE]`."""

    def __init__(self) -> None:
        self.done = False
        self._buffer = b""
        self._data = b""
        self._name = b""

    def feed(self, part: bytes) -> Iterator[dict[str, Any]]:
        """Yields the objects that this part completes.

        Raises:
            RetryableError: an event is not a JSON object.
        """
        lines = (self._buffer + part).splitlines(keepends=True)
        # A line may go on in the next part, and `\r` may be half of its end.
        self._buffer = b"" if not lines or lines[-1].endswith(b"\n") else lines.pop()
        yield from self._objects(lines)

    def end(self) -> Iterator[dict[str, Any]]:
        """Yields the objects in a last line without a line end."""
        lines, self._buffer = [*self._buffer.splitlines(), b""], b""
        yield from self._objects(lines)

    def _objects(self, lines: list[bytes]) -> Iterator[dict[str, Any]]:
        for line in lines:
            if self.done:
                return
            if (found := self._read(line.removeprefix(_BYTE_ORDER_MARK).strip())) is not None:
                yield found

    def _read(self, line: bytes) -> dict[str, Any] | None:
        """The object that this line completes, if it does."""
        if not line:
            self._end_event()
            return None
        if line.startswith(b"{") and not self._data:
            return self._add(line)
        field, _, value = line.partition(b":")
        field, value = field.strip(), value.strip()
        if field == b"data" and value:
            return self._add(value)
        if field == b"event":
            self._name = value
        return None

    def _add(self, value: bytes) -> dict[str, Any] | None:
        if value == b"[DONE]" and not self._data:
            self.done = True
            return None
        value = self._data + b"\n" + value if self._data else value
        try:
            found = loads(value)
        except (ValueError, RecursionError):
            self._data = value  # it continues in the next line, or `_end_event` refuses it
            return None
        self._data = b""
        if not isinstance(found, dict):
            raise RetryableError(f"a chunk of the answer is {type(found).__name__}, not a JSON object")
        return {"error": found} if self._name == b"error" and "error" not in found else found

    def _end_event(self) -> None:
        self._name = b""
        if self._data:
            start = self._data[:200].decode(errors="replace")
            raise RetryableError(f"a chunk of the answer is not JSON: {start!r}")
