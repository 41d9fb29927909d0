"""Published questions and pairs, read in the forms that their authors give them out in.

The form is seen from the fields. Files are JSON lines, a JSON list or Parquet, plain or gzipped; none of them is part
of this package. Where the right one of two answers is known, every other pair has it second.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from egrm_graph.benchmark.held_out import Question
from egrm_graph.errors import InputError
from egrm_graph.values import plain_text

Row = dict[str, Any]


def read_questions(file: Path) -> list[Question]:
    """The questions with known answers, or the pairs with known winners, in a file.

    Raises:
        InputError: the file cannot be read, or a row has none of the known forms; the message has its number.
        SetupError: it is Parquet, and pyarrow is missing.
    """
    questions: list[Question] = []
    for number, row in enumerate(_rows(file), start=1):
        try:
            questions += list(_form(row)(row, number))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{file}, row {number}: {error or type(error).__name__}") from error
    if not questions:
        raise InputError(f"{file} holds no questions")
    return questions


def _form(row: Row) -> Callable[[Row, int], Iterator[Question]]:
    fields = set(row)
    for needed, form in _FORMS:
        if needed <= fields:
            return form
    forms = "; ".join(", ".join(sorted(needed)) for needed, _ in _FORMS)
    raise ValueError(f"its fields are {', '.join(sorted(map(str, fields)))}; one of these sets is needed: {forms}")


def _line(row: Row, number: int) -> Iterator[Question]:
    candidates = tuple(map(_text, row.get("candidates") or ()))
    name = str(row.get("id", number))
    yield Question(
        name, _text(row["question"]), plain_text(row["reference"], "'reference'"), row.get("level", 0), candidates
    )


def _gsm8k(row: Row, number: int) -> Iterator[Question]:
    """Cobbe et al. 2021, arXiv:2110.14168: the answer stands behind four hashes."""
    worked, mark, answer = _text(row["answer"]).rpartition("####")
    if not mark or not worked:
        raise ValueError("'answer' has no #### before the number, and there is no 'reference'")
    yield Question(str(number), _text(row["question"]), answer.strip().replace(",", ""), 0)


def _math500(row: Row, number: int) -> Iterator[Question]:
    """Lightman et al. 2023, arXiv:2305.20050."""
    name = str(row.get("unique_id", number))
    yield Question(name, _text(row["problem"]), plain_text(row["answer"], "'answer'"), row.get("level", 0))


def _llmbar(row: Row, number: int) -> Iterator[Question]:
    """Zeng et al. 2024, arXiv:2310.07641."""
    winner = {1: "A", 2: "B"}.get(row["label"])
    if winner is None:
        raise ValueError(f"'label' is {row['label']!r}; it is 1 or 2")
    candidates = (_text(row["output_1"]), _text(row["output_2"]))
    yield Question(str(row.get("id", number)), _text(row["input"]), winner, row.get("subset", 0), candidates)


def _judgebench(row: Row, number: int) -> Iterator[Question]:
    """Tan et al. 2024, arXiv:2410.12784."""
    winner = {"A>B": "A", "B>A": "B", "A=B": "tie"}.get(row["label"])
    if winner is None:
        raise ValueError(f"'label' is {row['label']!r}; it is A>B, B>A or A=B")
    candidates = (_text(row["response_A"]), _text(row["response_B"]))
    yield Question(str(row.get("pair_id", number)), _text(row["question"]), winner, row.get("source", 0), candidates)


def _chosen(row: Row, number: int) -> Iterator[Question]:
    """RewardBench (Lambert et al. 2024, arXiv:2403.13787): a text each. RM-Bench (Liu et al. 2024, arXiv:2410.16184):
    three styles each, the plainest first; hard is a right answer in a plainer style than the wrong one."""
    name, prompt = str(row.get("id", number)), _text(row["prompt"])
    if isinstance(row["chosen"], str):
        yield _pair((name, prompt, row.get("subset", 0)), row["chosen"], _text(row["rejected"]), number)
        return
    for i, right in enumerate(row["chosen"]):
        for j, wrong in enumerate(row["rejected"]):
            level = "hard" if i < j else "normal" if i == j else "easy"
            yield _pair((f"{name}/{i}-{j}", prompt, level), _text(right), _text(wrong), number + i + j)


def _pair(asked: tuple[str, str, int | str], right: str, wrong: str, number: int) -> Question:
    name, prompt, level = asked
    if number % 2:
        return Question(name, prompt, "A", level, (right, wrong))
    return Question(name, prompt, "B", level, (wrong, right))


_FORMS: tuple[tuple[set[str], Callable[[Row, int], Iterator[Question]]], ...] = (
    ({"question", "reference"}, _line),
    ({"question", "response_A", "response_B", "label"}, _judgebench),
    ({"question", "answer"}, _gsm8k),
    ({"problem", "answer"}, _math500),
    ({"input", "output_1", "output_2", "label"}, _llmbar),
    ({"prompt", "chosen", "rejected"}, _chosen),
)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{json.dumps(value, default=str)[:80]} is no text")
    return value


def _rows(file: Path) -> list[Row]:
    if file.suffix == ".parquet":
        from egrm_graph.training.parquet import read_parquet

        return read_parquet(file)
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        text = data.decode("utf-8-sig")
        whole = json.loads(text) if text.lstrip().startswith("[") else None
    except (OSError, EOFError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    # Not splitlines: a text may hold other line breaks than that which ends a JSON line.
    lines = enumerate(text.split("\n"), start=1)
    rows = [_object(file, number, line) for number, line in lines if line.strip()] if whole is None else whole
    if not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{file} holds other things than objects")
    return list(rows)


def _object(file: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{file}, line {number} is no JSON: {error}") from error
