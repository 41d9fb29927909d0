"""Reading logs, and errors about files that are not logs."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.errors import InputError
from egrm_graph.replay.answer_log import LoggedAnswer, LoggedQuestion, read_log
from tests.replay.logs import draws, question, written

SEVEN = {"answer": "7", "correct": True, "n_tokens": 3}
LOST = {"answer": None, "correct": False, "n_tokens": None}


def one_line(file: Path, **row: Any) -> Path:
    file.write_text(json.dumps({"id": "a", "truth": "7", "fast": [SEVEN], "paths": [LOST], **row}) + "\n")
    return file


def test_a_line_is_a_question_including_lost_answers(tmp_path: Path) -> None:
    seven, lost = LoggedAnswer(answer="7", correct=True, n_tokens=3), LoggedAnswer(answer=None, correct=False)
    assert read_log(one_line(tmp_path / "log.jsonl")) == [LoggedQuestion(id="a", fast=(seven,), paths=(lost,))]


def test_a_log_may_be_gzipped(tmp_path: Path) -> None:
    log = [question(1, "77-8", "78"), question(2, "9")]
    plain = written(tmp_path / "log.jsonl", log)
    packed = tmp_path / "log.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_log(packed) == read_log(plain) == log


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"fast": [{**SEVEN, "correct": None}]}, r"line 1: fast\.0\.correct=None: Input should be a valid boolean"),
        ({"fast": [{**SEVEN, "correct": 1}]}, r"fast\.0\.correct=1: Input should be a valid boolean"),
        ({"paths": [{"correct": True}]}, r"paths\.0\.answer=.*Field required"),
        ({"paths": [{**SEVEN, "n_tokens": -1}]}, r"paths\.0\.n_tokens=-1: Input should be greater"),
        ({"fast": []}, r"fast=\[\]: Tuple should have at least 1 item"),
        ({"fast": None}, "fast=None"),
        ({"paths": [{**SEVEN, "correct": False}]}, "the answer '7' is both right and wrong"),
        ({"id": None}, "id"),
    ],
)
def test_an_invalid_line_is_an_error_with_its_field(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_log(one_line(tmp_path / "log.jsonl", **row))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no questions"),
        ("\n[1]\n", "line 2 is not a JSON object"),
        ("{broken\n", "line 1 is not JSON"),
        ('{"id": 1, "samples": []}\n', "a log needs 'fast' and 'paths', but the line has 'id', 'samples'"),
    ],
)
def test_other_files_are_errors(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_log(file)


def test_a_repeated_id_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 3: line 1 has the same id, 1"):
        read_log(written(tmp_path / "log.jsonl", [question(1, "7"), question(2, "7"), question(1, "8")]))


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"\x1f\x8b and no more")
    for file in (broken, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="cannot be read"):
            read_log(file)


def test_handwritten_answers_are_marked_right_or_wrong() -> None:
    assert [draw.correct for draw in draws("7-8")] == [True, False, False]
