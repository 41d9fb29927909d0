"""Calibrate a gate on labeled questions, and where drawing paths stops; or say why nothing can keep the promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from egrm_graph.calibration.certification import last_passed, questions_needed, upper_bound
from egrm_graph.calibration.gate_calibration import Abstention, Step, fitted_steps
from egrm_graph.replay.answer_table import AnswerTable, BoolArray
from egrm_graph.replay.threshold_sequences import GateLoss, ThresholdSequence, certify, threshold_sequences
from egrm_graph.uncertainty.measures import Measure

ABOVE_ANY_CONFIDENCE = 2.0
"""A threshold that withholds every reasoned answer."""


@dataclass(frozen=True)
class Promise:
    """The guarantee that the gate has to keep."""

    target_risk: float
    confidence: float
    loss: GateLoss = "excess"
    abstain_risk: float | None = None
    """The largest share of given answers that may be wrong.

    It is certified separately, with the same confidence, on the half of the questions that did not choose the gate.
    None withholds no answer.
    """


class Accuracy(NamedTuple):
    """Shares of the labeled questions that are right."""

    gated: float
    always: float
    """If every question reasons."""
    never: float
    """If the same number of fast answers votes on every question."""
    direct: float
    """Among the fast answers that the gate accepts."""


@dataclass(frozen=True)
class Certified:
    """A gate that keeps the promise."""

    measure: Measure
    samples: int
    threshold: float
    path_confidence: float | None
    """The confidence at which drawing paths stops. None if all are drawn."""
    paths_drawn: float
    """Paths of a question that is reasoned about, on average; 0 if there is none."""
    questions: int
    losses: int
    risk_bound: float
    gates: int
    direct: int
    direct_between: tuple[float, float]
    fast_right: tuple[Step, ...]
    reasoned_right: tuple[Step, ...]
    abstention: Abstention | None
    accuracy: Accuracy


@dataclass(frozen=True)
class Refused:
    """Why no gate is certified."""

    reason: str


def calibrate(
    table: AnswerTable, measures: Sequence[Measure], samples: Sequence[int], promise: Promise, seed: int = 0
) -> Certified | Refused:
    """Find the cheapest gate, with the cheapest way of reasoning, that keeps the promise.

    Raises:
        InputError: The log has fewer fast answers than one of `samples`.
    """
    choices = threshold_sequences(table, measures, samples, promise.loss)
    chosen_on = np.ones(table.n, bool)
    if promise.abstain_risk is not None:
        chosen_on[np.random.default_rng(seed).permutation(table.n)[table.n // 2 :]] = False
    delta, n = 1 - promise.confidence, int(chosen_on.sum())
    refusal = _hopeless(table, choices, n, promise)
    if refusal is not None:
        return Refused(refusal)
    found, at = (int(result[0]) for result in certify(choices, chosen_on[None].astype(int), promise.target_risk, delta))
    if found < 0:
        return Refused(_failed(choices, chosen_on, promise))
    gate, direct = choices[found], choices[found].direct[:, at]
    reasoning = gate.reasoning
    abstention = None
    if promise.abstain_risk is not None:
        abstention = _abstention(gate, direct, rows=~chosen_on, target=promise.abstain_risk, delta=delta)
        if abstention is None:
            return Refused(_too_wrong(direct[~chosen_on], gate.fast_right[~chosen_on], promise))
    losses, n_direct = int(gate.losses[chosen_on, at].sum()), int(direct.sum())
    return Certified(
        measure=gate.measure,
        samples=gate.samples,
        threshold=gate.threshold(at),
        path_confidence=reasoning.stops_at,
        paths_drawn=float(reasoning.drawn[~direct].mean()) if not direct.all() else 0.0,
        questions=n,
        losses=losses,
        risk_bound=upper_bound(losses, n, delta / len(choices)),
        gates=len(choices),
        direct=n_direct,
        direct_between=_between(n_direct, table.n),
        fast_right=fitted_steps(gate.certainty.tolist(), gate.fast_right.tolist()),
        reasoned_right=fitted_steps(reasoning.confidence[~direct].tolist(), reasoning.right[~direct].tolist()),
        abstention=abstention,
        accuracy=Accuracy(
            float(np.where(direct, gate.fast_right, reasoning.right).mean()),
            float(table.reasoned_right.mean()),
            float(gate.fast_right.mean()),
            float(gate.fast_right[direct].mean()),
        ),
    )


def _hopeless(table: AnswerTable, choices: Sequence[ThresholdSequence], n: int, promise: Promise) -> str | None:
    needed = questions_needed(promise.target_risk, (1 - promise.confidence) / len(choices))
    if n < needed:
        return (
            f"{n} questions cannot promise a risk of {promise.target_risk:g} with confidence {promise.confidence:g} "
            f"for one of {len(choices)} gates, even without a loss: that takes {needed}. Label more questions, "
            "try fewer measures and samples, or raise the target"
        )
    marks = np.concatenate([table.reasoned_right, *(one.fast_right for one in choices)])
    if marks.all() or not marks.any():
        return f"every answer is {'right' if marks.all() else 'wrong'}, so the questions cannot calibrate a gate"
    return None


def _failed(choices: Sequence[ThresholdSequence], rows: BoolArray, promise: Promise) -> str:
    n = int(rows.sum())
    strictest = [(int(one.losses[rows, 0].sum()), one) for one in choices if one.certainties.size]
    if not strictest:
        return "no fast answer could be read, so no gate would ever open"
    losses, one = min(strictest, key=lambda entry: entry[0])
    bound = upper_bound(losses, n, (1 - promise.confidence) / len(choices))
    return (
        f"no gate keeps a risk ({promise.loss}) of {promise.target_risk:g} with confidence {promise.confidence:g}: the "
        f"strictest ({one.measure.name} of {one.samples} samples) loses {losses} of {n} questions, which leaves a risk "
        f"of up to {bound:.4f} possible. Label more questions, or raise the target"
    )


def _between(direct: int, n: int) -> tuple[float, float]:
    """The 99.5% Clopper-Pearson interval of a share."""
    return 1 - upper_bound(n - direct, n, 0.0025), upper_bound(direct, n, 0.0025)


def _abstention(
    gate: ThresholdSequence, direct: BoolArray, *, rows: BoolArray, target: float, delta: float
) -> Abstention | None:
    """Give as many answers as possible at the target risk. None if even the direct answers exceed it.

    The number of wrong answers at a level, given the number of answers, is binomial. The levels are tested in a fixed
    order, starting with the strictest: direct answers only.
    """
    confidence = np.where(direct, ABOVE_ANY_CONFIDENCE, gate.reasoning.confidence)[rows]
    wrong = ~np.where(direct, gate.fast_right, gate.reasoning.right)[rows]
    levels = np.array([ABOVE_ANY_CONFIDENCE, *np.unique(confidence[confidence < ABOVE_ANY_CONFIDENCE])[::-1]])
    answers = confidence[:, None] >= levels
    answered, mistaken = answers.sum(axis=0), (answers & wrong[:, None]).sum(axis=0)
    last = int(last_passed(mistaken, answered, target, delta))
    if last < 0:
        return None
    return Abstention(
        below=float(levels[last]),
        target_risk=target,
        questions=len(wrong),
        answered=int(answered[last]),
        wrong=int(mistaken[last]),
    )


def _too_wrong(direct: BoolArray, fast_right: BoolArray, promise: Promise) -> str:
    return (
        f"a risk of {promise.abstain_risk:g} among the given answers cannot be promised with confidence "
        f"{promise.confidence:g} by abstaining: {(direct & ~fast_right).sum()} of the {direct.sum()} direct answers "
        "in the half used to test it are wrong. Raise the risk, lower the gate's target, or label more questions"
    )
