"""Write published pairs in this package's own form: `python examples/studies/published_pairs.py FILE --output FILE`.

LLMBar, JudgeBench, RewardBench, and RM-Bench are read as `egrm bench` reads them. `egrm synthesize` and `egrm train
judge` read the output. Pairs are in random order, and --domain says what decides between their candidates.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path
from typing import Any

from egrm_graph.benchmark.published_sets import read_questions
from egrm_graph.errors import EgrmError


def published_pairs(file: Path, domain: str | None, seed: int) -> list[dict[str, Any]]:
    """All pairs of a file in random order.

    Raises:
        InputError: the file cannot be read, or has a row of an unknown form.
    """
    rows = [
        {
            "id": pair.id,
            "question": pair.text,
            "candidates": list(pair.candidates),
            "reference": pair.reference,
            **({} if domain is None else {"domain": domain}),
        }
        for pair in read_questions(file)
        if pair.candidates
    ]
    random.Random(seed).shuffle(rows)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("file", type=Path, help="published pairs, as JSON lines or Parquet, plain or gzipped")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--domain", choices=("preference", "correctness"), help="the domain of all pairs")
    parser.add_argument("--pairs", type=int, help="how many pairs to write; all without this option")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the order")
    options = parser.parse_args()
    try:
        rows = published_pairs(options.file, options.domain, options.seed)[: options.pairs]
    except EgrmError as error:
        sys.exit(f"error: {error}")
    if not rows:
        sys.exit(f"error: {options.file} has questions without candidates; name a file of pairs")
    options.output.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
