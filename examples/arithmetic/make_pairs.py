"""Write preference pairs from rollouts: a right and a wrong path for each question that has both.

    python examples/arithmetic/make_pairs.py build/rollouts/validation.parquet examples/pairs.jsonl

TRL and RewardBench use this format. `egrm train scorer examples/pairs.jsonl` reads it.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from egrm_graph.training.rollout_file import Rollout
from egrm_graph.training.training_data import read_rollouts


def pair(rollout: Rollout) -> dict[str, str] | None:
    """The first right and the first wrong path; None if one is missing."""
    chosen = next((path.text for path in rollout.paths if path.correct), None)
    rejected = next((path.text for path in rollout.paths if not path.correct and path.text.strip()), None)
    if chosen is None or rejected is None:
        return None
    return {"prompt": rollout.question, "chosen": chosen, "rejected": rejected}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rollouts", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--pairs", type=int, default=400, help="pairs, at most")
    options = parser.parse_args()
    pairs = [row for rollout in read_rollouts(options.rollouts) if (row := pair(rollout))]
    options.output.write_text("".join(json.dumps(row) + "\n" for row in pairs[: options.pairs]), "utf-8")
