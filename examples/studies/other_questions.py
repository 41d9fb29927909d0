"""Write questions that `egrm bench --sample N` leaves out, to train on: `python examples/studies/other_questions.py
gsm8k.jsonl.gz --sample 70 --questions 160 --output train.jsonl`.

The questions are chosen at random, with the seed of the sample, and have their references.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.benchmark.question_sets import Choice, Levels, read_sets
from egrm_graph.errors import EgrmError


def other_questions(
    file: Path, *, sample: int, sample_seed: int, n: int, levels: Levels | None = None
) -> list[BenchQuestion]:
    """`n` questions of the file that are not in its sample, in the order of the file.

    Raises:
        InputError: the file cannot be read.
        ValueError: the sample leaves fewer than `n`.
    """
    chosen, sampled = (
        read_sets([str(file)], "answer", Choice(levels, size, sample_seed)) for size in (sample + n, sample)
    )
    taken = {question.id for question in sampled}
    others = [question for question in chosen if question.id not in taken]
    if len(others) < n:
        raise ValueError(f"a sample of {sample} leaves {len(others)} questions of {file}; request at most so many")
    return others


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("file", type=Path, help="questions, as `egrm bench` reads them")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--sample", type=int, required=True, help="the sample to leave out")
    parser.add_argument("--sample-seed", type=int, default=0, help="its seed (default 0)")
    parser.add_argument("--levels", type=Levels.read, help="the levels to use, as in 1-3 (default: all)")
    parser.add_argument("--questions", type=int, required=True, help="number of questions to write")
    options = parser.parse_args()
    try:
        others = other_questions(
            options.file,
            sample=options.sample,
            sample_seed=options.sample_seed,
            n=options.questions,
            levels=options.levels,
        )
    except (EgrmError, ValueError) as error:
        parser.error(str(error))
    rows = ({"id": each.id, "question": each.text, "reference": each.reference} for each in others)
    options.output.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
