"""Whether the calibration's guarantee holds: many calibration sets out of one log, and the true risk of each.

    python examples/studies/guarantee.py LOG [--questions FILE] [--sets 500]

The log is taken as all the questions there are, so that the true risk of a gate is known: its risk on the whole log.
Half as many questions calibrate, drawn in two ways: `drawn`, independently and with replacement, as the proof has it;
`split`, without, so that the other half is held out. A held-out half has a sampling error of its own, which no
calibration can foresee: it may be over the target where the true risk is not.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from egrm_graph.intervals import Estimate, share
from egrm_graph.replay.answer_table import AnswerTable, FloatArray, IntArray, replayable, sizes_of, table_of
from egrm_graph.replay.saved_runs import read_labelled
from egrm_graph.replay.threshold_sequences import GateLoss, ThresholdSequence, certify, threshold_sequences
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.uncertainty.measures import MEASURES

Sets = Literal["drawn", "split"]
SETS: tuple[Sets, ...] = get_args(Sets)
TARGETS = (0.01, 0.02, 0.05)


@dataclass(frozen=True)
class Row:
    """What came of all calibration sets of one kind at one target."""

    loss: GateLoss
    target_risk: float
    sets: Sets
    promised: float
    """Share of the sets that could promise the target at all."""
    over: Estimate
    """Share of the sets whose gate has a true risk over the target; at most 1 - confidence is allowed."""
    held_out_over: float | None
    """Share of the splits whose gate has more than the target on the held-out half."""
    direct: float
    """Share of the questions that skip reasoning, mean over all sets; none where nothing was promised."""
    direct_low: float
    """The same, its 5 % quantile."""


def rows(table: AnswerTable, loss: GateLoss, *, n_sets: int, confidence: float = 0.95, seed: int = 0) -> Iterator[Row]:
    """A row for each target and kind of set; the calibration chooses among all measures and Ms, as by default."""
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

    def of(what: Callable[[int, ThresholdSequence, int], float]) -> FloatArray:
        return np.array([what(s, choices[j], t) if j >= 0 else 0.0 for s, (j, t) in enumerate(chosen)])

    direct = of(lambda _, one, t: float(one.direct[:, t].mean()))
    held = of(lambda s, one, t: float(one.losses[weights[s] == 0, t].mean()))
    return Row(
        loss=loss,
        target_risk=target,
        sets=sets,
        promised=float((family >= 0).mean()),
        over=share(of(lambda _, one, t: float(one.losses[:, t].mean())) > target),
        held_out_over=float((held > target).mean()) if sets == "split" else None,
        direct=float(direct.mean()),
        direct_low=float(np.quantile(direct, 0.05)),
    )


def shown(title: str, made: Sequence[Row]) -> Table:
    """The rows as a table."""
    headings = ("loss", "target", "sets", "promised", "true risk over", "held-out over", "skip reasoning", "5 %")
    table = Table(*(Column(heading, right=True) for heading in headings), title=title)
    for row in made:
        held = "" if row.held_out_over is None else f"{row.held_out_over:.1%}"
        told = [f"{row.promised:.1%}", row.over.percent(), held, f"{row.direct:.1%}", f"{row.direct_low:.1%}"]
        table.add_row(row.loss, f"{row.target_risk:g}", row.sets, *told)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("log", type=Path)
    parser.add_argument("--questions", type=Path, help="with a file of egrm verify: its questions and references")
    parser.add_argument("--task", choices=["answer", "arithmetic"], default="arithmetic")
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    given = parser.parse_args()
    table = table_of(read_labelled(given.log, given.questions, given.task))
    made = [row for loss in get_args(GateLoss) for row in rows(table, loss, n_sets=given.sets)]
    title = f"{given.log.name}: {table.n // 2} of {table.n} questions calibrate, {given.sets} sets, confidence 95 %"
    standard_output().print(shown(title, made))
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(row) for row in made], indent=1) + "\n")


if __name__ == "__main__":
    main()
