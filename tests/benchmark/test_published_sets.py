import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.benchmark.held_out import Question
from egrm_graph.benchmark.published_sets import read_questions
from egrm_graph.errors import InputError

DATA = Path(os.environ.get("EGRM_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.exists(), reason="EGRM_DATA names no folder with the published files")


def written(folder: Path, *rows: Any, name: str = "rows.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.parametrize(
    ("row", "question"),
    [
        (
            {"id": 7, "question": "1+1", "reference": "2", "level": 3, "other": None},
            Question("7", "1+1", "2", 3),
        ),
        (
            {"question": "Which?", "reference": "B", "candidates": ["x", "y"]},
            Question("1", "Which?", "B", 0, ("x", "y")),
        ),
        (
            {"question": "How much?", "answer": "7 * 2 = <<7*2=14>>14\n#### 1,014"},
            Question("1", "How much?", "1014", 0),
        ),
        (
            {"problem": "$x$?", "solution": "s", "answer": "\\frac12", "level": 5, "unique_id": "a/1.json"},
            Question("a/1.json", "$x$?", "\\frac12", 5),
        ),
        (
            {"input": "Say.", "output_1": "x", "output_2": "y", "label": 2},
            Question("1", "Say.", "B", 0, ("x", "y")),
        ),
        (
            {"pair_id": "p", "source": "mmlu", "question": "q", "response_A": "x", "response_B": "y", "label": "A>B"},
            Question("p", "q", "A", "mmlu", ("x", "y")),
        ),
        (
            {"id": 4, "prompt": "q", "chosen": "good", "rejected": "bad", "subset": "hep-go"},
            Question("4", "q", "A", "hep-go", ("good", "bad")),
        ),
    ],
)
def test_a_row_of_each_form_is_a_question(tmp_path: Path, row: dict[str, Any], question: Question) -> None:
    assert read_questions(written(tmp_path, row)) == [question]


def test_every_other_pair_has_the_right_answer_second(tmp_path: Path) -> None:
    rows = [{"prompt": "q", "chosen": "good", "rejected": "bad"}] * 4
    read = read_questions(written(tmp_path, *rows))
    assert [(each.reference, each.candidates[0]) for each in read] == [("A", "good"), ("B", "bad")] * 2


def test_three_styles_each_are_nine_pairs_that_tell_how_hard_they_are(tmp_path: Path) -> None:
    row = {"id": "m", "prompt": "q", "chosen": ["c", "cd", "cm"], "rejected": ["r", "rd", "rm"], "domain": "math"}
    read = read_questions(written(tmp_path, row))
    assert Counter(each.level for each in read) == {"hard": 3, "normal": 3, "easy": 3}
    assert (read[1].id, read[1].level, set(read[1].candidates)) == ("m/0-1", "hard", {"c", "rd"})
    assert all(each.candidates["AB".index(each.reference)].startswith("c") for each in read)


def test_a_line_break_in_a_text_ends_no_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"question": "one\u2028two", "reference": "2"}, ensure_ascii=False))
    assert read_questions(file)[0].text == "one\u2028two"


def test_a_list_and_a_gzipped_file_are_read_too(tmp_path: Path) -> None:
    row = {"question": "1+1", "reference": "2"}
    (tmp_path / "list.json").write_text(json.dumps([row]))
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode()))
    assert read_questions(tmp_path / "list.json") == read_questions(tmp_path / "rows.jsonl.gz")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no questions"),
        ("{}", "row 1: its fields are ; one of these sets is needed: question, reference; "),
        ('{"question": "q", "reference": "r"}\n{"question": ', "line 2 is no JSON"),
        ('{"question": "q", "reference": [7]}', "row 1: 'reference' is the list [7]; give it as text"),
        ('{"question": "q", "answer": "14"}', "row 1: 'answer' has no ####"),
        ('{"input": "q", "output_1": "x", "output_2": "y", "label": 0}', "row 1: 'label' is 0; it is 1 or 2"),
        ("[1]", "holds other things than objects"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match=r"rows\.jsonl") as caught:
        read_questions(file)
    assert told in str(caught.value)


@needs_data
@pytest.mark.parametrize(
    ("file", "n"),
    [("gsm8k/test.jsonl.gz", 1319), ("math500/test.jsonl.gz", 500), ("llmbar/pairs.jsonl.gz", 419)],
)
def test_the_published_files_are_read_whole(file: str, n: int) -> None:
    questions = read_questions(DATA / file)
    assert len(questions) == n
    assert all(question.text and question.reference for question in questions)
