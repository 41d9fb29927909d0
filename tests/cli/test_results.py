import json
from pathlib import Path

from egrm_graph.cli.answering import LineResult
from egrm_graph.cli.json_lines import Id, Line
from egrm_graph.cli.results import InputOrder, done_before, encode, open_results, sort_results


def failed(number: int, name: Id, error: str) -> LineResult[dict[str, str]]:
    return LineResult(Line(number, name, {}), None, error)


def result(name: Id, error: str = "no") -> bytes:
    return encode(LineResult(Line(1, name, {}), {"error": error}))


def test_a_bad_line_has_its_id_its_number_and_an_error() -> None:
    assert json.loads(encode(failed(7, "a", "not JSON"))) == {"id": "a", "line": 7, "error": "not JSON"}


def test_a_result_is_one_line_of_ascii() -> None:
    raw = result("é\u2028\x9b\n\ud800")
    assert raw.isascii()
    assert raw.count(b"\n") == 1
    assert json.loads(raw)["id"] == "é\u2028\x9b\n\ud800"


def test_only_the_result_of_a_line_whose_id_was_used_before_has_its_number() -> None:
    first, again = (LineResult(Line(number, "a", {}, again=number > 1), {"answer": "1"}) for number in (1, 2))
    assert encode(first, numbered=True) == encode(first) == encode(again) == b'{"id": "a", "answer": "1"}\n'
    assert encode(again, numbered=True) == b'{"id": "a", "line": 2, "answer": "1"}\n'


def test_without_resume_the_file_starts_over(tmp_path: Path) -> None:
    file = tmp_path / "out.jsonl"
    file.write_bytes(result("a"))
    open_results(file, resume=False).close()
    assert file.read_bytes() == b""


def test_a_missing_file_has_no_results(tmp_path: Path) -> None:
    assert done_before(tmp_path / "none") == []


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    file, link, order = tmp_path / "out.jsonl", tmp_path / "link.jsonl", InputOrder()
    file.write_bytes(result("b") + result("a"))
    link.symlink_to(file)
    for number, name in enumerate("ab", start=1):
        order.add(Line(number, name, {}))
    sort_results(link, order)
    assert link.is_symlink()
    assert file.read_bytes() == result("a") + result("b")
