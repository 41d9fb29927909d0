"""What the rollouts of reinforced generators were like over the steps: whether the score and the truth part.

    python examples/studies/rollouts_by_step.py pair=pair-0,pair-1,pair-2 score=score-0,score-1,score-2

Each arm is a name and the output folders of `egrm train generator --reinforce`, one for each seed. A row has the means
over the rollouts since the row before, then over the seeds, and in brackets the lowest and the highest seed. *Right*
and *score* are those of a rollout, and *no spread* is the share of groups that gave no reward. The last two are
the model's entropy and its divergence from the base, in nats a token. The scorer is over-optimized if the score rises
and the share of right rollouts falls.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from egrm_graph.terminal.tables import Column, Table, standard_output

MEASURES = {"right": "right", "score": "score", "without_spread": "no spread", "entropy": "entropy", "kl": "KL"}
DECIMALS = {"entropy": 4, "kl": 4}

Logged = Mapping[str, float]


def logged(folder: Path) -> list[Logged]:
    """What a training logged of its rollouts, by step.

    Raises:
        SystemExit: the folder has no report of a reinforced generator.
    """
    file = folder / "report.json"
    try:
        curve: list[Logged] = json.loads(file.read_text("utf-8"))["curve"]
    except (OSError, ValueError, KeyError, TypeError):
        sys.exit(
            f"error: {file} is not the report of a training; name the --output of egrm train generator --reinforce"
        )
    rows = [row for row in curve if MEASURES.keys() <= row.keys()]
    if not rows:
        sys.exit(f"error: {file} has no rollouts with a score; name a training with --reinforce")
    return rows


def cell(values: Sequence[float], decimals: int) -> str:
    """The mean over the seeds, and the lowest and the highest."""
    mean = sum(values) / len(values)
    return f"{mean:.{decimals}f} [{min(values):.{decimals}f}, {max(values):.{decimals}f}]"


def table(arms: Mapping[str, Sequence[Sequence[Logged]]]) -> Table:
    """A row for each arm and each step that all of its seeds logged."""
    made = Table("arm", *(Column(heading, right=True) for heading in ("to step", *MEASURES.values())))
    for name, seeds in arms.items():
        by_step = [{int(row["step"]): row for row in rows} for rows in seeds]
        for step in sorted(set.intersection(*(set(rows) for rows in by_step))):
            rows = [rows[step] for rows in by_step]
            cells = [cell([row[key] for row in rows], DECIMALS.get(key, 3)) for key in MEASURES]
            made.add_row(name, f"{step}", *cells)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("arms", nargs="+", metavar="NAME=FOLDER[,FOLDER...]", help="the trainings of each arm")
    options = parser.parse_args()
    named = [arm.partition("=")[::2] for arm in options.arms]
    arms = {name: [logged(Path(folder)) for folder in folders.split(",")] for name, folders in named}
    standard_output().print(table(arms))


if __name__ == "__main__":
    main()
