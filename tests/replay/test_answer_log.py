"""Reading of logs: what is in them, and what is said of those that cannot be used."""

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


def test_a_line_is_a_question_whose_lost_answers_stay(tmp_path: Path) -> None:
    seven, lost = LoggedAnswer(answer="7", correct=True, n_tokens=3), LoggedAnswer(answer=None, correct=False)
    assert read_log(one_line(tmp_path / "log.jsonl")) == [LoggedQuestion(id="a", fast=(seven,), paths=(lost,))]


def test_a_gzipped_log_is_the_same_log(tmp_path: Path) -> None:
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
def test_a_wrong_line_is_told_with_its_field(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_log(one_line(tmp_path / "log.jsonl", **row))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no question"),
        ("\n[1]\n", "line 2 is no JSON object"),
        ("{broken\n", "line 1 is not JSON"),
        ('{"id": 1, "samples": []}\n', "no 'fast' and 'paths' of a log; the line has 'id', 'samples'"),
    ],
)
def test_what_is_no_log_is_told(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_log(file)


def test_an_id_stands_for_one_question(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 3: the id 1 is that of line 1"):
        read_log(written(tmp_path / "log.jsonl", [question(1, "7"), question(2, "7"), question(1, "8")]))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"\x1f\x8b and no more")
    for file in (broken, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="cannot be read"):
            read_log(file)


def test_the_form_of_a_draw_is_checked_by_hand_made_ones_too() -> None:
    assert [draw.correct for draw in draws("7-8")] == [True, False, False]
