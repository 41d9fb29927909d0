"""Published questions and pairs, in the formats of their authors.

The fields of a row decide its format. Files are JSON lines, a JSON list, or Parquet, plain or gzipped. The package
includes none of them. In a pair with a known winner, the winner comes second in every other pair.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.errors import InputError
from egrm_graph.values import plain_text

_Fields = dict[str, Any]


def read_questions(file: Path) -> list[BenchQuestion]:
    """Read the questions with known answers, or the pairs with known winners, in a file.

    Raises:
        InputError: the file cannot be read, or a row has an unknown format. The message has the row number.
        SetupError: the file is Parquet, and pyarrow is missing.
    """
    questions: list[BenchQuestion] = []
    for number, row in enumerate(_rows(file), start=1):
        try:
            questions += list(_reader(row)(row, number))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{file}, row {number}: {error or type(error).__name__}") from error
    if not questions:
        raise InputError(f"{file} holds no questions")
    return questions


def _reader(row: _Fields) -> Callable[[_Fields, int], Iterator[BenchQuestion]]:
    fields = set(row)
    for required, reader in _READERS:
        if required <= fields:
            return reader
    known = "; ".join(", ".join(sorted(required)) for required, _ in _READERS)
    found = ", ".join(sorted(map(str, fields))) or "no fields"
    raise ValueError(f"it has {found}, and needs one of these sets of fields: {known}")


def _line(row: _Fields, number: int) -> Iterator[BenchQuestion]:
    candidates = tuple(map(_text, row.get("candidates") or ()))
    name = str(row.get("id", number))
    yield BenchQuestion(
        name, _text(row["question"]), plain_text(row["reference"], "'reference'"), row.get("level", 0), candidates
    )


def _gsm8k(row: _Fields, number: int) -> Iterator[BenchQuestion]:
    """Cobbe et al. 2021, arXiv:2110.14168: the answer follows four hashes."""
    worked, mark, answer = _text(row["answer"]).rpartition("####")
    if not mark or not worked:
        raise ValueError("'answer' has no #### before the number, and 'reference' is missing; add one of them")
    yield BenchQuestion(str(number), _text(row["question"]), answer.strip().replace(",", ""), 0)


def _math500(row: _Fields, number: int) -> Iterator[BenchQuestion]:
    """Lightman et al. 2023, arXiv:2305.20050."""
    name = str(row.get("unique_id", number))
    yield BenchQuestion(name, _text(row["problem"]), plain_text(row["answer"], "'answer'"), row.get("level", 0))


def _llmbar(row: _Fields, number: int) -> Iterator[BenchQuestion]:
    """Zeng et al. 2024, arXiv:2310.07641."""
    winner = {1: "A", 2: "B"}.get(row["label"])
    if winner is None:
        raise ValueError(f"'label' is {row['label']!r}; it must be 1 or 2")
    candidates = (_text(row["output_1"]), _text(row["output_2"]))
    yield BenchQuestion(str(row.get("id", number)), _text(row["input"]), winner, row.get("subset", 0), candidates)


def _judgebench(row: _Fields, number: int) -> Iterator[BenchQuestion]:
    """Tan et al. 2024, arXiv:2410.12784."""
    winner = {"A>B": "A", "B>A": "B", "A=B": "tie"}.get(row["label"])
    if winner is None:
        raise ValueError(f"'label' is {row['label']!r}; it must be A>B, B>A, or A=B")
    candidates = (_text(row["response_A"]), _text(row["response_B"]))
    yield BenchQuestion(
        str(row.get("pair_id", number)), _text(row["question"]), winner, row.get("source", 0), candidates
    )


def _chosen(row: _Fields, number: int) -> Iterator[BenchQuestion]:
    """RewardBench (Lambert et al. 2024, arXiv:2403.13787): one text on each side. RM-Bench (Liu et al. 2024,
    arXiv:2410.16184): three styles on each side, the plainest first. A pair is hard if the right answer has a plainer
    style than the wrong one."""
    name, prompt = str(row.get("id", number)), _text(row["prompt"])
    if isinstance(row["chosen"], str):
        yield _pair((name, prompt, row.get("subset", 0)), row["chosen"], _text(row["rejected"]), number)
        return
    for i, right in enumerate(row["chosen"]):
        for j, wrong in enumerate(row["rejected"]):
            level = "hard" if i < j else "normal" if i == j else "easy"
            yield _pair((f"{name}/{i}-{j}", prompt, level), _text(right), _text(wrong), number + i + j)


def _pair(question: tuple[str, str, int | str], right: str, wrong: str, number: int) -> BenchQuestion:
    name, prompt, level = question
    if number % 2:
        return BenchQuestion(name, prompt, "A", level, (right, wrong))
    return BenchQuestion(name, prompt, "B", level, (wrong, right))


_READERS: tuple[tuple[set[str], Callable[[_Fields, int], Iterator[BenchQuestion]]], ...] = (
    ({"question", "reference"}, _line),
    ({"question", "response_A", "response_B", "label"}, _judgebench),
    ({"question", "answer"}, _gsm8k),
    ({"problem", "answer"}, _math500),
    ({"input", "output_1", "output_2", "label"}, _llmbar),
    ({"prompt", "chosen", "rejected"}, _chosen),
)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{json.dumps(value, default=str)[:80]} is not text")
    return value


def _rows(file: Path) -> list[_Fields]:
    if file.suffix == ".parquet":
        from egrm_graph.training.parquet import read_parquet

        return read_parquet(file)
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        text = data.decode("utf-8-sig")
        json_list = json.loads(text) if text.lstrip().startswith("[") else None
    except (OSError, EOFError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
    # Not splitlines, because a text may contain other line breaks than the one that ends a JSON line.
    lines = enumerate(text.split("\n"), start=1)
    rows = [_object(file, number, line) for number, line in lines if line.strip()] if json_list is None else json_list
    if not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{file} has a row that is not an object")
    return list(rows)


def _object(file: Path, number: int, line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{file}, line {number} is not JSON: {error}") from error
