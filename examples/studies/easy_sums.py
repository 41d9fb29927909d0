"""Write easy sums as questions in English: `python examples/studies/easy_sums.py --output sums.jsonl`.

A benchmark of hard questions alone says little about a gate, because fast answers hardly ever converge. These have two
or three numbers below 100, as in "What is 17 + 48 - 9?", and no result is negative. The level of a question is the
count of its numbers, and there are as many questions of each level, or one more. All questions differ.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

LEVELS = (2, 3)
MOST = 2000
"""Far fewer than there are, so that each different question is found soon."""


def easy_sums(n: int, seed: int = 0) -> list[dict[str, str | int]]:
    """`n` different questions with their references. A longer list with the same seed starts with the shorter one.

    Raises:
        ValueError: n is not between 1 and 2,000.
    """
    if not 1 <= n <= MOST:
        raise ValueError(f"{n} questions were requested; request 1 to {MOST:,}")
    chance = random.Random(seed)
    by_text: dict[str, dict[str, str | int]] = {}
    while len(by_text) < n:
        level = LEVELS[len(by_text) % len(LEVELS)]
        text, total = _sum(level, chance)
        row: dict[str, str | int] = {"question": f"What is {text}?", "reference": str(total), "level": level}
        by_text.setdefault(text, {"id": f"sum-{len(by_text):04}", **row})
    return list(by_text.values())


def _sum(n_numbers: int, chance: random.Random) -> tuple[str, int]:
    total = chance.randint(1, 99)
    text = str(total)
    for _ in range(n_numbers - 1):
        number = chance.randint(1, 99)
        sign = "-" if number <= total and chance.random() < 0.5 else "+"
        text += f" {sign} {number}"
        total += number if sign == "+" else -number
    return text, total


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--questions", type=int, default=200, help="number of questions (default 200)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the questions (default 0)")
    options = parser.parse_args()
    try:
        rows = easy_sums(options.questions, options.seed)
    except ValueError as error:
        parser.error(str(error))
    options.output.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
