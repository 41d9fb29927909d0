import asyncio
import io
import json
import threading
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.cli.json_lines import AHEAD, MAX_LINE_BYTES, Line, read_line, read_lines


async def lines_of(text: bytes) -> list[Line]:
    async with aclosing(read_lines(io.BytesIO(text))) as lines:
        return [line async for line in lines]


@pytest.mark.parametrize("name", ["a", "", 7, -1.5, 0])
def test_an_id_is_unchanged(name: Any) -> None:
    assert read_line(3, json.dumps({"id": name, "question": "1+1"}).encode()) == Line(3, name, {"question": "1+1"})


@pytest.mark.parametrize("without", ['{"question": "1+1"}', '{"id": null, "question": "1+1"}'])
def test_a_line_without_an_id_gets_its_number(without: str) -> None:
    assert read_line(3, without.encode()) == Line(3, 3, {"question": "1+1"})


def test_unknown_fields_are_separate() -> None:
    found = read_line(1, b'{"question": "1+1", "reference": "2", "messages": null, "level": 3}')
    assert found == Line(1, 1, {"question": "1+1", "reference": "2"}, others={"level": 3})


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"question": "1+', "the line is not JSON"),
        (b'{"question": NaN}', "NaN is not a JSON number"),
        (b"[1]", "not a JSON object but a list"),
        (b"null", "not a JSON object but null"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"id": 1%s, "question": "1+1"}' % (b"0" * 5000), "the line is not JSON"),
        (b'{"question": "\xff"}', "not UTF-8"),
        (b'{"question": "\\ud800"}', "surrogate"),
        (b'{"id": "a", "prompt": "1+1"}', "neither 'question' nor 'messages', but 'id', 'prompt'; add one of them"),
        (b'{"question": 5}', "question is a number; use a string"),
        (b'{"question": "1+1", "reference": [2]}', "reference is a list; use a string, a number, or true or false"),
        (b'{"messages": "hello"}', "messages is a string; use a list"),
        (b'{"id": [1], "question": "1+1"}', "id is a list; use a string or a number"),
        (b'{"id": true, "question": "1+1"}', "id is true or false"),
        (b'{"id": 1e999, "question": "1+1"}', "id is too large for a number"),
    ],
)
def test_a_bad_line_has_an_error(raw: bytes, reason: str) -> None:
    found = read_line(4, raw)
    assert found is not None
    assert found.error is not None
    assert reason in found.error
    assert (found.number, found.inputs) == (4, {})


def test_a_bad_line_keeps_its_id_if_that_can_be_read() -> None:
    found = read_line(4, b'{"id": "a"}')
    assert found is not None
    assert found.id == "a"


@given(st.binary())
def test_no_bytes_raise(raw: bytes) -> None:
    read_line(1, raw)


async def test_a_byte_order_mark_and_blank_lines_are_ignored() -> None:
    found = await lines_of(b'\xef\xbb\xbf{"question": "1+1"}\r\n\n  \n{"question": "2+2"}')
    assert found == [Line(1, 1, {"question": "1+1"}), Line(4, 4, {"question": "2+2"})]


async def test_a_huge_line_is_skipped_and_the_next_one_is_read() -> None:
    found = await lines_of(b"x" * (2 * MAX_LINE_BYTES + 5) + b'\n{"question": "2+2"}\n')
    assert [line.error for line in found] == [f"the line is longer than {MAX_LINE_BYTES:,} bytes", None]
    assert [line.number for line in found] == [1, 2]


class Endless(io.BytesIO):
    """A stream that never ends, and counts its reads."""

    n_read = 0

    def readline(self, _size: int | None = -1) -> bytes:
        self.n_read += 1
        return b'{"question": "1+1"}\n'


async def test_a_limited_number_of_lines_is_read_ahead() -> None:
    source = Endless()
    async with aclosing(read_lines(source)) as lines:
        for _ in range(10):
            await anext(lines)
        await asyncio.sleep(0.1)
        assert source.n_read <= 10 + AHEAD + 2


async def test_the_reading_thread_ends_with_the_reader() -> None:
    async with aclosing(read_lines(Endless())) as lines:
        await anext(lines)
    threads = [thread for thread in threading.enumerate() if thread.name == "egrm-lines"]
    for thread in threads:
        await asyncio.to_thread(thread.join, 5)
    assert not any(thread.is_alive() for thread in threads)


class Broken(io.BytesIO):
    def readline(self, _size: int | None = -1) -> bytes:
        raise OSError("the disk is gone")


async def test_a_broken_stream_raises_where_its_lines_are_used() -> None:
    with pytest.raises(OSError, match="the disk is gone"):
        async with aclosing(read_lines(Broken())) as lines:
            await anext(lines)
