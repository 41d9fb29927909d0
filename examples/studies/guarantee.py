"""Check the guarantee of a calibration: many calibration sets from one log, and the true risk of each.

    python examples/studies/guarantee.py LOG [--questions FILE] [--sets 500]

The log represents all questions, so the true risk of a gate is its risk on the full log. Half as many questions
calibrate. They are chosen in two ways: `drawn`, independently and with replacement, as in the proof, and `split`,
without replacement, which holds out the other half. A held-out half has its own sampling error, which no calibration
can predict. Its risk may exceed the target even if the true risk does not.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from egrm_graph.cli.calibrate import PATH_CONFIDENCES
from egrm_graph.intervals import Estimate, share
from egrm_graph.replay.answer_table import AnswerTable, FloatArray, IntArray, replayable, sizes_of, table_of
from egrm_graph.replay.saved_runs import read_labelled
from egrm_graph.replay.stopped_reasoning import can_stop
from egrm_graph.replay.threshold_sequences import GateLoss, ThresholdSequence, certify, threshold_sequences
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.uncertainty.measures import MEASURES

Sets = Literal["drawn", "split"]
SETS: tuple[Sets, ...] = get_args(Sets)
TARGETS = (0.01, 0.02, 0.05)


@dataclass(frozen=True)
class Row:
    """The figures of all calibration sets of one kind at one target."""

    loss: GateLoss
    target_risk: float
    sets: Sets
    promised: float
    """Share of the sets that have a gate with the guarantee."""
    over: Estimate
    """Share of the sets whose gate has a true risk above the target. At most 1 - confidence is allowed."""
    held_out_over: float | None
    """Share of the splits whose gate exceeds the target on the held-out half."""
    direct: float
    """Share of the questions that skip reasoning, mean over all sets. A set without a gate counts 0."""
    direct_low: float
    """The 5 % quantile of that share."""
    stops: float
    """Share of the sets whose gate comes with paths that stop early."""
    paths: float
    """Paths of a question, mean over all sets. A set without a gate counts all paths."""


def rows(table: AnswerTable, loss: GateLoss, *, n_sets: int, confidence: float = 0.95, seed: int = 0) -> Iterator[Row]:
    """A row for each target and kind of set. The calibration chooses among all measures, values of M, and ways to stop
    drawing paths, as by default."""
    choices = threshold_sequences(table, replayable(list(MEASURES.values())), sizes_of(table.n_fast), loss)
    rng = np.random.default_rng(seed)
    n = table.n // 2
    drawn = rng.multinomial(n, np.full(table.n, 1 / table.n), size=n_sets)
    split = (rng.random((n_sets, table.n)).argsort(axis=1) < n).astype(np.int64)
    weights: dict[Sets, IntArray] = {"drawn": drawn, "split": split}
    for target in TARGETS:
        for sets in SETS:
            yield _row(choices, weights[sets], loss=loss, target=target, sets=sets, confidence=confidence)


def _row(
    choices: Sequence[ThresholdSequence],
    weights: IntArray,
    *,
    loss: GateLoss,
    target: float,
    sets: Sets,
    confidence: float,
) -> Row:
    family, threshold = certify(choices, weights, target, 1 - confidence)
    chosen = list(zip(family.tolist(), threshold.tolist(), strict=True))

    def values(what: Callable[[int, ThresholdSequence, int], float]) -> FloatArray:
        return np.array([what(s, choices[j], t) if j >= 0 else 0.0 for s, (j, t) in enumerate(chosen)])

    direct = values(lambda _, one, t: float(one.direct[:, t].mean()))
    paths = values(lambda _, one, t: float((~one.direct[:, t] * one.reasoning.drawn).mean()))
    all_paths = float(choices[0].reasoning.drawn.mean())
    held_out = values(lambda s, one, t: float(one.losses[weights[s] == 0, t].mean()))
    return Row(
        loss=loss,
        target_risk=target,
        sets=sets,
        promised=float((family >= 0).mean()),
        over=share(values(lambda _, one, t: float(one.losses[:, t].mean())) > target),
        held_out_over=float((held_out > target).mean()) if sets == "split" else None,
        direct=float(direct.mean()),
        direct_low=float(np.quantile(direct, 0.05)),
        stops=float(values(lambda _, one, __: one.reasoning.stops_at is not None).mean()),
        paths=float(np.where(family < 0, all_paths, paths).mean()),
    )


def row_table(title: str, rows: Sequence[Row]) -> Table:
    """The rows as a table."""
    headings = (
        "loss",
        "target",
        "sets",
        "promised",
        "true risk over",
        "held-out over",
        "skip reasoning",
        "5 %",
        "stop early",
        "paths",
    )
    table = Table(*(Column(heading, right=True) for heading in headings), title=title)
    for row in rows:
        held = "" if row.held_out_over is None else f"{row.held_out_over:.1%}"
        cells = [f"{row.promised:.1%}", row.over.percent(), held, f"{row.direct:.1%}", f"{row.direct_low:.1%}"]
        cells += [f"{row.stops:.1%}", f"{row.paths:.2f}"]
        table.add_row(row.loss, f"{row.target_risk:g}", row.sets, *cells)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("log", type=Path, help="a log, or a file from `egrm verify`")
    parser.add_argument("--questions", type=Path, help="the questions of a file from `egrm verify`, with references")
    parser.add_argument("--task", choices=["answer", "arithmetic"], default="arithmetic", help="the task")
    parser.add_argument("--sets", type=int, default=500, help="calibration sets of each kind (default 500)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    log = read_labelled(options.log, options.questions, options.task)
    table = table_of(log, PATH_CONFIDENCES if can_stop(log) else ())
    made = [row for loss in get_args(GateLoss) for row in rows(table, loss, n_sets=options.sets)]
    title = f"{options.log.name}: {table.n // 2} of {table.n} questions calibrate, {options.sets} sets, confidence 95 %"
    standard_output().print(row_table(title, made))
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in made], indent=1) + "\n")


if __name__ == "__main__":
    main()
