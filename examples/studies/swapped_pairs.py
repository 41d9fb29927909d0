"""Write pairs with their candidates swapped: `python examples/studies/swapped_pairs.py PAIRS --output swapped.jsonl`.

A judge that looks at both orders gives the same verdicts on both files. `egrm bench --draws FOLDER` on PAIRS and then
`egrm bench --draws FOLDER --draws-only` on the output shows it: the second run needs no new draw.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.benchmark.published_sets import read_questions
from egrm_graph.errors import EgrmError

SWAPPED = {"A": "B", "B": "A", "tie": "tie"}


def swapped(pair: BenchQuestion) -> dict[str, str | int | list[str]]:
    """The pair as a line of a file of questions, with its candidates swapped.

    Raises:
        ValueError: it does not have two candidates.
    """
    if len(pair.candidates) != 2:
        raise ValueError(f"{pair.id} has {len(pair.candidates)} candidates, not 2; name a file of pairs")
    return {
        "id": pair.id,
        "question": pair.text,
        "candidates": list(pair.candidates[::-1]),
        "reference": SWAPPED[pair.reference],
        "level": pair.level,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("file", type=Path, help="pairs, as `egrm bench` reads them")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    options = parser.parse_args()
    try:
        rows = [swapped(pair) for pair in read_questions(options.file)]
    except (EgrmError, ValueError) as error:
        parser.error(str(error))
    options.output.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
