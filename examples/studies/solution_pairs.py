"""Write pairs of a right and a wrong solution: `python examples/studies/solution_pairs.py FILE --output pairs.jsonl`.

FILE is the published `example_model_solutions.jsonl` of GSM8K (Cobbe et al. 2021, arXiv:2110.14168), with solutions of
four models and whether each is right. A question makes a pair if it has both kinds; one of each is chosen at random.
Calculator annotations such as `<<2*3=6>>` are removed. `egrm bench` and `egrm synthesize` read the output.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

CALCULATION = re.compile(r"<<[^<>]*>>")


def solution_pairs(rows: Iterable[Mapping[str, Any]], seed: int) -> list[dict[str, Any]]:
    """All pairs in random order. The right solution is first in every other one."""
    rng = random.Random(seed)
    found: list[tuple[int, str, str, str]] = []
    for number, row in enumerate(rows):
        solutions = [each for each in row.values() if isinstance(each, Mapping)]
        right = [CALCULATION.sub("", each["solution"]) for each in solutions if each["is_correct"]]
        wrong = [CALCULATION.sub("", each["solution"]) for each in solutions if not each["is_correct"]]
        if right and wrong:
            found.append((number, row["question"], rng.choice(right), rng.choice(wrong)))
    rng.shuffle(found)
    return [
        {
            "id": f"gsm8k-{number}",
            "question": question,
            "candidates": [wrong, right] if i % 2 else [right, wrong],
            "reference": "AB"[i % 2],
            "domain": "correctness",
        }
        for i, (number, question, right, wrong) in enumerate(found)
    ]


def read(file: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines, plain or gzipped."""
    text = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return [json.loads(line) for line in text.decode("utf-8").splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("file", type=Path, help="GSM8K's example_model_solutions.jsonl, plain or gzipped")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--pairs", type=int, help="how many pairs to write; all without this option")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the choice")
    options = parser.parse_args()
    rows = solution_pairs(read(options.file), options.seed)[: options.pairs]
    options.output.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
