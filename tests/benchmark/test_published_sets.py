import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.benchmark.published_sets import read_questions
from egrm_graph.errors import InputError

DATA = Path(os.environ.get("EGRM_DATA", Path(__file__).parents[3] / "shared" / "data"))
needs_data = pytest.mark.skipif(not DATA.exists(), reason="EGRM_DATA is not a folder with the published files")


def written(folder: Path, *rows: Any, name: str = "rows.jsonl") -> Path:
    file = folder / name
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.parametrize(
    ("row", "question"),
    [
        (
            {"id": 7, "question": "1+1", "reference": "2", "level": 3, "other": None},
            BenchQuestion("7", "1+1", "2", 3),
        ),
        (
            {"question": "Which?", "reference": "B", "candidates": ["x", "y"]},
            BenchQuestion("1", "Which?", "B", 0, ("x", "y")),
        ),
        (
            {"question": "How much?", "answer": "7 * 2 = <<7*2=14>>14\n#### 1,014"},
            BenchQuestion("1", "How much?", "1014", 0),
        ),
        (
            {"problem": "$x$?", "solution": "s", "answer": "\\frac12", "level": 5, "unique_id": "a/1.json"},
            BenchQuestion("a/1.json", "$x$?", "\\frac12", 5),
        ),
        (
            {"input": "Say.", "output_1": "x", "output_2": "y", "label": 2},
            BenchQuestion("1", "Say.", "B", 0, ("x", "y")),
        ),
        (
            {"pair_id": "p", "source": "mmlu", "question": "q", "response_A": "x", "response_B": "y", "label": "A>B"},
            BenchQuestion("p", "q", "A", "mmlu", ("x", "y")),
        ),
        (
            {"id": 4, "prompt": "q", "chosen": "good", "rejected": "bad", "subset": "hep-go"},
            BenchQuestion("4", "q", "A", "hep-go", ("good", "bad")),
        ),
    ],
)
def test_a_row_of_each_format_is_a_question(tmp_path: Path, row: dict[str, Any], question: BenchQuestion) -> None:
    assert read_questions(written(tmp_path, row)) == [question]


def test_every_other_pair_has_the_right_answer_second(tmp_path: Path) -> None:
    rows = [{"prompt": "q", "chosen": "good", "rejected": "bad"}] * 4
    read = read_questions(written(tmp_path, *rows))
    assert [(pair.reference, pair.candidates[0]) for pair in read] == [("A", "good"), ("B", "bad")] * 2


def test_three_styles_on_each_side_give_nine_pairs_with_their_difficulty(tmp_path: Path) -> None:
    row = {"id": "m", "prompt": "q", "chosen": ["c", "cd", "cm"], "rejected": ["r", "rd", "rm"], "domain": "math"}
    read = read_questions(written(tmp_path, row))
    assert Counter(pair.level for pair in read) == {"hard": 3, "normal": 3, "easy": 3}
    assert (read[1].id, read[1].level, set(read[1].candidates)) == ("m/0-1", "hard", {"c", "rd"})
    assert all(pair.candidates["AB".index(pair.reference)].startswith("c") for pair in read)


def test_a_line_break_in_a_text_does_not_end_the_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"question": "one\u2028two", "reference": "2"}, ensure_ascii=False))
    assert read_questions(file)[0].text == "one\u2028two"


def test_a_list_and_a_gzipped_file_are_read_too(tmp_path: Path) -> None:
    row = {"question": "1+1", "reference": "2"}
    (tmp_path / "list.json").write_text(json.dumps([row]))
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode()))
    assert read_questions(tmp_path / "list.json") == read_questions(tmp_path / "rows.jsonl.gz")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no questions"),
        ("{}", "row 1: it has no fields, and needs one of these sets of fields: question, reference; "),
        ('{"question": "q", "reference": "r"}\n{"question": ', "line 2 is not JSON"),
        ('{"question": "q", "reference": [7]}', "row 1: 'reference' is the list [7]; give it as text"),
        ('{"question": "q", "answer": "14"}', "row 1: 'answer' has no ####"),
        ('{"input": "q", "output_1": "x", "output_2": "y", "label": 0}', "row 1: 'label' is 0; it must be 1 or 2"),
        ("[1]", "has a row that is not an object"),
    ],
)
def test_an_error_names_the_file_and_the_row(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match=r"rows\.jsonl") as caught:
        read_questions(file)
    assert message in str(caught.value)


@needs_data
@pytest.mark.parametrize(
    ("file", "n"),
    [("gsm8k/test.jsonl.gz", 1319), ("math500/test.jsonl.gz", 500), ("llmbar/pairs.jsonl.gz", 419)],
)
def test_the_published_files_are_read_in_full(file: str, n: int) -> None:
    questions = read_questions(DATA / file)
    assert len(questions) == n
    assert all(question.text and question.reference for question in questions)
