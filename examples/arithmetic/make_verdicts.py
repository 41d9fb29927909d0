"""Write pairs and lists of worked answers with deliberate errors, and the correct verdicts.

    python examples/arithmetic/make_verdicts.py --output build/questions

held_out_pairs.jsonl  test side, all levels equally: two answers. One fifth are ties: both right or both wrong.
held_out_lists.jsonl  test side, all levels equally: four answers, one of them right
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import verdicts
import world


def row(name: str, i: int, item: verdicts.Item) -> dict[str, object]:
    """One item as `egrm demo` and the tests read it. Its reference is the correct verdict."""
    return {
        "id": f"{name}-{i:04}",
        "question": item.question.text,
        "candidates": [candidate.replace(verdicts.OTHER, " so ").strip() for candidate in item.candidates],
        "reference": "tie" if item.verdict == verdicts.TIE else item.verdict,
        "level": item.question.level,
    }


def make(folder: Path, n: int) -> None:
    """Write both files, with `n` items each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size, seed in (("pairs", 2, 10), ("lists", 4, 11)):
        rng = random.Random(seed)
        items = [verdicts.draw(question, rng, size) for question in world.sample(n, "test", seed)]
        lines = (json.dumps(row(name, i, item)) + "\n" for i, item in enumerate(items))
        (folder / f"held_out_{name}.jsonl").write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/questions"))
    parser.add_argument("--items", type=int, default=1000, help="items in each file")
    options = parser.parse_args()
    make(options.output, options.items)
