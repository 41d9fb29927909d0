"""Write a part of a file with labeled steps: at most N paths of a question, none of them long.

A model of a hundred million parameters can then be trained on two cores.

    python examples/studies/fewer_steps.py phase1_test.jsonl.gz --paths 4 --characters 1000 --output prm800k.jsonl

The first path of a question stays, which in PRM800K is the chosen one, and others are drawn at random. With
`--held-out`, about a third of the questions go to another file.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from egrm_graph.training.rollout_file import Rollout, split, write_rollouts
from egrm_graph.training.step_data import read_step_rollouts

HELD_OUT_SHARE = 0.35


def shortened(rollout: Rollout, paths: int, characters: int, rng: random.Random) -> Rollout | None:
    """The question with a part of its paths; None without any."""
    short = [path for path in rollout.paths if len(path.text) <= characters and path.steps]
    if not short:
        return None
    chosen = [short[0], *rng.sample(short[1:], min(paths - 1, len(short) - 1))]
    return rollout.model_copy(update={"paths": tuple(chosen)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="labeled steps, in any of the forms that are trained on")
    parser.add_argument("--paths", type=int, default=4, help="paths for each question (default: 4)")
    parser.add_argument("--characters", type=int, default=1000, help="the longest path (default: 1000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, metavar="FILE", help="file for 35 %% of the questions")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    rollouts = [shortened(each, options.paths, options.characters, rng) for each in read_step_rollouts(options.file)]
    train = [each for each in rollouts if each is not None]
    if options.held_out is not None:
        train, held_out = split(train, HELD_OUT_SHARE)
        write_rollouts(options.held_out, held_out)
    write_rollouts(options.output, train)
