"""Compare methods of several benchmarks on the same questions, paired.

    python examples/studies/paired_benchmarks.py plain=base/results.jsonl:always@4 \\
        gate=bench-0/results.jsonl:egrm,bench-1/results.jsonl:egrm,bench-2/results.jsonl:egrm

Each arm is a name, and a file of `egrm bench` with a method in it; with several of them, one for each seed of a
training, the arm is their mean. Points and shares of tokens are over the first arm, in which a question counts once.
The intervals are 95 % bootstrap intervals over questions: they say nothing about other seeds.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from egrm_graph.benchmark.bench_folder import MethodResult, read_results
from egrm_graph.errors import InputError
from egrm_graph.intervals import Columns, bootstrap
from egrm_graph.terminal.tables import Column, Table, standard_output

HEADINGS = ("arm", "runs", "questions", "accuracy", "each run", "points", "tokens", "share of tokens")


@dataclass(frozen=True)
class Arm:
    """A method of one or more benchmarks, by question."""

    name: str
    ids: tuple[str, ...]
    right: Columns
    """Of shape (runs, questions)."""
    tokens: Columns
    """Completion tokens, of the same shape."""


def read_arm(text: str) -> Arm:
    """Read an arm, written as NAME=FILE:METHOD[,FILE:METHOD].

    Raises:
        InputError: the text has another form, a file has no result of the method, or the runs have other questions.
    """
    name, _, listed = text.partition("=")
    # A method may have commas in brackets, such as egrm[paths=4,first_paths=3].
    runs = re.split(r",(?![^\[\]]*\])", listed)
    read = [_run(run) for run in runs]
    ids = tuple(sorted(read[0]))
    if other := [run for run, results in zip(runs, read, strict=True) if tuple(sorted(results)) != ids]:
        raise InputError(f"{name}: {other[0]} has other questions than {runs[0]}; use the same in all runs")
    right = np.array([[results[each].right for each in ids] for results in read], float)
    tokens = np.array([[results[each].completion_tokens for each in ids] for results in read], float)
    return Arm(name, ids, right, tokens)


def _run(text: str) -> dict[str, MethodResult]:
    # A method may have a colon in its name, and a file may not.
    file, _, method = text.partition(":")
    if not method:
        raise InputError(f"{text!r} names no method; write NAME=FILE:METHOD, such as gate=bench/results.jsonl:egrm")
    results = {each.id: each for each in read_results(Path(file)) if each.method == method}
    if not results:
        raise InputError(f"{file} has no result of the method {method!r}")
    return results


def table(arms: Sequence[Arm]) -> Table:
    """A row for each arm.

    Raises:
        InputError: an arm has other questions than the first.
    """
    made, first = Table(*(Column(heading, right=i > 0) for i, heading in enumerate(HEADINGS))), arms[0]
    for arm in arms:
        if arm.ids != first.ids:
            raise InputError(f"{arm.name} has other questions than {first.name}; run both on the same")
        both = np.stack([each.mean(axis=0) for each in (arm.right, first.right, arm.tokens, first.tokens)])
        made.add_row(
            arm.name,
            str(len(arm.right)),
            str(len(arm.ids)),
            bootstrap(both[:1], lambda columns: float(columns.mean())).percent(),
            ", ".join(f"{100 * right:.1f}" for right in arm.right.mean(axis=1)) if len(arm.right) > 1 else "",
            "" if arm is first else bootstrap(both[:2], points).points(),
            f"{arm.tokens.mean():.1f}",
            "" if arm is first else bootstrap(both[2:], share).percent(),
        )
    return made


def points(right: Columns) -> float:
    """The difference of two rows, in percentage points."""
    return 100 * float((right[0] - right[1]).mean())


def share(tokens: Columns) -> float:
    """The total of the first row divided by the total of the second; NaN if the second is 0."""
    part, total = tokens.sum(axis=1)
    return float(part / total) if total else math.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("arms", nargs="+", metavar="NAME=FILE:METHOD[,FILE:METHOD]", help="what to compare")
    options = parser.parse_args()
    try:
        made = table([read_arm(text) for text in options.arms])
    except (InputError, OSError) as error:
        sys.exit(f"error: {error}")
    standard_output().print(made)


if __name__ == "__main__":
    main()
