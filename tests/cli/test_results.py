import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from egrm_graph.cli.answering import Result
from egrm_graph.cli.lines import Id, Line
from egrm_graph.cli.results import done_before, encode, open_results, pass_over
from egrm_graph.errors import InputError


def failed(number: int, name: Id, error: str) -> Result[dict[str, str]]:
    return Result(Line(number, name, {}), None, error)


def result(name: Id, error: str = "no") -> bytes:
    return encode(failed(1, name, error))


async def lines(*names: Id) -> AsyncIterator[Line]:
    for number, name in enumerate(names, start=1):
        yield Line(number, name, {})


def test_a_bad_line_has_its_id_its_number_and_the_reason() -> None:
    assert json.loads(encode(failed(7, "a", "not JSON"))) == {"id": "a", "line": 7, "error": "not JSON"}


def test_a_result_is_one_line_of_ascii() -> None:
    raw = result("é\u2028\x9b\n\ud800")
    assert raw.isascii()
    assert raw.count(b"\n") == 1
    assert json.loads(raw)["id"] == "é\u2028\x9b\n\ud800"


def test_a_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    file.write_bytes(result("a") + result("b") + result("c")[:-3])
    assert done_before(file) == ["a", "b"]
    with open_results(file, resume=True) as stream:
        stream.write(result("c"))
    assert done_before(file) == ["a", "b", "c"]


def test_without_resume_the_file_starts_anew(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    file.write_bytes(result("a"))
    open_results(file, resume=False).close()
    assert file.read_bytes() == b""


def test_no_file_has_no_results(tmp_path: Path) -> None:
    assert done_before(tmp_path / "none") == []


@pytest.mark.parametrize("text", [b"hello\n", b"[]\n", b"{}\n", b"\xff\n", b"\n"])
def test_a_file_of_something_else_is_refused(text: bytes, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_bytes(result("a") + text)
    with pytest.raises(InputError, match=r"line 2 of .*notes.txt is no result"):
        done_before(file)


async def test_lines_with_results_are_passed_over_even_where_ids_repeat() -> None:
    source = lines("a", "a", "b", "a")
    await pass_over(source, ["a", "a"], Path("out"))
    assert [line.number async for line in source] == [3, 4]


@pytest.mark.parametrize(("done", "told"), [(["a", "c"], "its result 2 has the id 'c'"), ([1], "has the id 1")])
async def test_results_of_another_input_are_refused(done: list[Id], told: str) -> None:
    with pytest.raises(InputError, match=told):
        await pass_over(lines("a", "b"), done, Path("out"))


async def test_more_results_than_lines_are_refused() -> None:
    with pytest.raises(InputError, match="it has 3 results, and the input 2 lines"):
        await pass_over(lines("a", "b"), ["a", "b", "c"], Path("out"))
