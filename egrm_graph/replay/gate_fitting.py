"""From labelled questions to a calibrated gate, or to the reason why none can be promised."""

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

NOTHING_REASONED = 2.0
"""No confidence is as high."""


@dataclass(frozen=True)
class Promise:
    """What is to be promised."""

    target_risk: float
    confidence: float
    loss: GateLoss = "excess"
    abstain_risk: float | None = None
    """Of the answers given, no more are wrong. It is promised on its own, with the same confidence, on a half of the
    questions that the gate was not chosen on; None lets every answer be given."""


class Accuracy(NamedTuple):
    """Shares of all the labelled questions that came out right."""

    gated: float
    always: float
    """Reasoning about all of them."""
    never: float
    """The vote of the same number of fast answers."""
    direct: float
    """Of the fast answers that the gate lets through only."""


@dataclass(frozen=True)
class Certified:
    """A gate that keeps the promise."""

    measure: Measure
    samples: int
    threshold: float
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
    """Why nothing is promised."""

    reason: str


def calibrate(
    table: AnswerTable, measures: Sequence[Measure], samples: Sequence[int], promise: Promise, seed: int = 0
) -> Certified | Refused:
    """The gate that costs least among those that keep the promise.

    Raises:
        InputError: the log has fewer fast answers than one of `samples`.
    """
    choices = threshold_sequences(table, measures, samples, promise.loss)
    chosen_on = np.ones(table.n, bool)
    if promise.abstain_risk is not None:
        chosen_on[np.random.default_rng(seed).permutation(table.n)[table.n // 2 :]] = False
    delta, n = 1 - promise.confidence, int(chosen_on.sum())
    refusal = _hopeless(table, choices, n, promise)
    if refusal is not None:
        return Refused(refusal)
    found, at = (int(each[0]) for each in certify(choices, chosen_on[None].astype(int), promise.target_risk, delta))
    if found < 0:
        return Refused(_failed(choices, chosen_on, promise))
    gate, direct = choices[found], choices[found].direct[:, at]
    abstention = None
    if promise.abstain_risk is not None:
        abstention = _abstention(
            table, direct, gate.fast_right, rows=~chosen_on, target=promise.abstain_risk, delta=delta
        )
        if abstention is None:
            return Refused(_too_wrong(direct[~chosen_on], gate.fast_right[~chosen_on], promise))
    losses, n_direct = int(gate.losses[chosen_on, at].sum()), int(direct.sum())
    return Certified(
        measure=gate.measure,
        samples=gate.samples,
        threshold=gate.threshold(at),
        questions=n,
        losses=losses,
        risk_bound=upper_bound(losses, n, delta / len(choices)),
        gates=len(choices),
        direct=n_direct,
        direct_between=_between(n_direct, table.n),
        fast_right=fitted_steps(gate.certainty.tolist(), gate.fast_right.tolist()),
        reasoned_right=fitted_steps(
            table.reasoned_confidence[~direct].tolist(), table.reasoned_right[~direct].tolist()
        ),
        abstention=abstention,
        accuracy=Accuracy(
            float(np.where(direct, gate.fast_right, table.reasoned_right).mean()),
            float(table.reasoned_right.mean()),
            float(gate.fast_right.mean()),
            float(gate.fast_right[direct].mean()),
        ),
    )


def _hopeless(table: AnswerTable, choices: Sequence[ThresholdSequence], n: int, promise: Promise) -> str | None:
    needed = questions_needed(promise.target_risk, (1 - promise.confidence) / len(choices))
    if n < needed:
        return (
            f"{n} questions cannot promise a risk of {promise.target_risk:g} with confidence {promise.confidence:g} to "
            f"one of {len(choices)} gates, even without a single loss: that takes {needed}. Label more, try fewer "
            "measures and samples, or raise the target"
        )
    marks = np.concatenate([table.reasoned_right, *(one.fast_right for one in choices)])
    if marks.all() or not marks.any():
        return f"every answer is {'right' if marks.all() else 'wrong'}, so that they tell nothing of a gate"
    return None


def _failed(choices: Sequence[ThresholdSequence], rows: BoolArray, promise: Promise) -> str:
    n = int(rows.sum())
    strictest = [(int(one.losses[rows, 0].sum()), one) for one in choices if one.certainties.size]
    if not strictest:
        return "no fast answer could be read, so that no gate would ever open"
    losses, one = min(strictest, key=lambda entry: entry[0])
    bound = upper_bound(losses, n, (1 - promise.confidence) / len(choices))
    return (
        f"no gate keeps a risk ({promise.loss}) of {promise.target_risk:g} with confidence {promise.confidence:g}: the "
        f"strictest ({one.measure.name} of {one.samples} samples) loses {losses} of {n} questions, which leaves a risk "
        f"of up to {bound:.4f} possible. Label more questions, or raise the target"
    )


def _between(direct: int, n: int) -> tuple[float, float]:
    """Clopper and Pearson's interval of a share, 99.5 %."""
    return 1 - upper_bound(n - direct, n, 0.0025), upper_bound(direct, n, 0.0025)


def _abstention(
    table: AnswerTable, direct: BoolArray, fast_right: BoolArray, *, rows: BoolArray, target: float, delta: float
) -> Abstention | None:
    """The most answers that can be given with so few wrong among them; None where not even the direct ones can.

    Given how many are answered at a level, how many of them are wrong is binomial. The levels are fixed in order, from
    the strictest: direct answers only.
    """
    confidence = np.where(direct, NOTHING_REASONED, table.reasoned_confidence)[rows]
    wrong = ~np.where(direct, fast_right, table.reasoned_right)[rows]
    levels = np.array([NOTHING_REASONED, *np.unique(confidence[confidence < NOTHING_REASONED])[::-1]])
    given = confidence[:, None] >= levels
    answered, mistaken = given.sum(axis=0), (given & wrong[:, None]).sum(axis=0)
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
        f"a risk of {promise.abstain_risk:g} among the answers given cannot be promised with confidence "
        f"{promise.confidence:g} by abstaining: {(direct & ~fast_right).sum()} of the {direct.sum()} direct answers "
        "of the half that it was tried on are wrong. Raise the risk, lower the gate's target, or label more questions"
    )
