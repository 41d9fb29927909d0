"""Replay a gate on a log at every threshold: its ranking of answers, accuracy, and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from egrm_graph.intervals import Estimate, percentiles, resampled
from egrm_graph.replay.answer_table import AnswerTable, FloatArray, draws_of, measure_gate
from egrm_graph.replay.certainty_levels import accuracies, aurc, auroc, oracle_accuracy, oracle_aurc
from egrm_graph.uncertainty.measures import Measure


@dataclass(frozen=True)
class Point:
    """The gate at one threshold."""

    threshold: float | None
    """In the measure's units. None for a gate that never opens."""
    reasoned: float
    """The share of questions that reason."""
    accuracy: Estimate
    tokens: float | None
    """Mean completion tokens per question. None if the log does not have them."""
    random: float
    """The accuracy of a gate that reasons about the same number of random questions."""
    oracle: float
    """The accuracy of the best gate that reasons about the same number of questions."""


@dataclass(frozen=True)
class Curve:
    """One measure at one M. Intervals are 95% intervals over questions."""

    measure: str
    samples: int
    drawn: int
    """The number of ways in which M fast answers were drawn. All figures are means over them."""
    auroc: Estimate
    """How well certainty separates right fast answers from wrong ones. NaN if all are right or all are wrong."""
    aurc: Estimate
    """The area under the risk-coverage curve. Smaller is better."""
    aurc_random: float
    """The area of a random order: the share of wrong fast answers."""
    aurc_oracle: float
    risk_coverage: tuple[tuple[float, float], ...]
    """For each level of certainty, the share of questions at least as certain, and the share of wrong fast answers
    among them."""
    points: tuple[Point, ...]
    """From the gate that never opens to the one that opens for all questions with a fast answer."""
    published: Point
    """At the measure's published threshold."""


@dataclass(frozen=True)
class _Levels:
    certainties: FloatArray
    """(L,) Most certain first."""
    mass: FloatArray
    """(N, L) The share of draws in which a question is at a level."""
    wrong: FloatArray
    """(N, L) The share of draws in which a question is at a level and its fast answer is wrong."""
    drawn: int


def replay(table: AnswerTable, measures: Sequence[Measure], samples: Sequence[int], seed: int = 0) -> Iterator[Curve]:
    """Compute a curve for each measure and M.

    Raises:
        InputError: The log has fewer fast answers than one of `samples`.
    """
    weights = resampled(table.n, seed=seed)
    for measure in measures:
        for m in samples:
            yield _curve(table, measure, m, weights)


def _curve(table: AnswerTable, measure: Measure, m: int, weights: FloatArray) -> Curve:
    levels = _levels(table, measure, m)
    mass, wrong, n = levels.mass.sum(axis=0), levels.wrong.sum(axis=0), table.n
    resampled_mass, resampled_wrong = weights @ levels.mass, weights @ levels.wrong
    points = _points(table, measure, m, levels, weights)
    asked = 1 if measure.higher_is_certain else -1
    known = [p for p in points if p.threshold is not None and measure.certain(p.threshold, measure.threshold)]
    covered = mass.cumsum()
    return Curve(
        measure=measure.name,
        samples=m,
        drawn=levels.drawn,
        auroc=percentiles(float(auroc(mass, wrong)), auroc(resampled_mass, resampled_wrong)),
        aurc=percentiles(float(aurc(mass, wrong)), aurc(resampled_mass, resampled_wrong)),
        aurc_random=float(wrong.sum() / n),
        aurc_oracle=oracle_aurc(float(wrong.sum() / n)),
        risk_coverage=tuple(zip((covered / n).tolist(), (wrong.cumsum() / covered).tolist(), strict=True)),
        points=tuple(points),
        published=min(known, key=lambda p: asked * (p.threshold or 0.0)) if known else points[0],
    )


def _levels(table: AnswerTable, measure: Measure, m: int) -> _Levels:
    draws = draws_of(table.n_fast, m)
    measured = [measure_gate(table, measure, drawn) for drawn in draws]
    certainties = np.unique(np.concatenate([gate.certainty for gate in measured]))[::-1]
    mass = np.zeros((table.n, len(certainties)))
    wrong = np.zeros_like(mass)
    questions = np.arange(table.n)
    for gate in measured:
        level = np.searchsorted(-certainties, -gate.certainty)
        mass[questions, level] += 1 / len(draws)
        wrong[questions, level] += ~gate.right / len(draws)
    return _Levels(certainties, mass, wrong, len(draws))


def _points(table: AnswerTable, measure: Measure, m: int, levels: _Levels, weights: FloatArray) -> list[Point]:
    reasoned = levels.mass * table.reasoned_right[:, None]
    found = accuracies(levels.mass.sum(axis=0), levels.wrong.sum(axis=0), reasoned.sum(axis=0))
    samples = accuracies(weights @ levels.mass, weights @ levels.wrong, weights @ reasoned)
    # A sum of fractions can come out just above one, and then a share of zero would be negative.
    direct = np.concatenate([[0.0], (levels.mass.sum(axis=0).cumsum() / table.n).clip(max=1.0)])
    right = 1 - levels.wrong.sum(axis=1)
    always, never = float(table.reasoned_right.mean()), float(right.mean())
    gain = float((right * ~table.reasoned_right).mean())
    loss = float(((1 - right) * table.reasoned_right).mean())
    tokens = _tokens(table, m, levels)
    points = []
    for t in range(len(direct)):
        if t > 0 and not np.isfinite(levels.certainties[t - 1]):
            break  # no gate opens without an answer
        certainty = None if t == 0 else float(levels.certainties[t - 1])
        share = float(direct[t])
        points.append(
            Point(
                threshold=None if certainty is None else certainty * (1 if measure.higher_is_certain else -1) + 0.0,
                reasoned=1 - share,
                accuracy=percentiles(float(found[t]), samples[:, t]),
                tokens=None if tokens is None else float(tokens[t]),
                random=always + share * (never - always),
                oracle=oracle_accuracy(share, always, gain, loss),
            )
        )
    return points


def _tokens(table: AnswerTable, m: int, levels: _Levels) -> FloatArray | None:
    """(L + 1,) Mean tokens per question: M fast answers, plus the paths if the gate does not open."""
    if table.fast_tokens is None or table.path_tokens is None:
        return None
    saved = (levels.mass * table.path_tokens[:, None]).mean(axis=0).cumsum()
    start = table.fast_tokens.mean() * m + table.path_tokens.mean()
    return np.concatenate([[start], start - saved])
