"""Why something was lost on the way, or chosen, or is not what one would expect: a code that programs compare, and a
text that people read."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from typing_extensions import TypedDict


class Reason(TypedDict):
    """One reason, as plain values."""

    code: str
    """The value of a `ReasonCode`."""
    text: str


class ReasonCode(StrEnum):
    """Every kind of reason, each with the template of its text."""

    template: str

    def __new__(cls, value: str, template: str) -> ReasonCode:
        code = str.__new__(cls, value)
        code._value_ = value
        code.template = template
        return code

    FAST_ANSWERS_LOST = "fast_answers_lost", "{lost} of {total} fast answers lost: {cause}"
    READINGS_LOST = "readings_lost", "{lost} of {total} readings lost: {cause}"
    CANDIDATES_LOST = "candidates_lost", "{lost} of {total} candidates lost: {cause}"
    PATHS_LOST = "paths_lost", "{lost} of {total} paths lost: {cause}"
    MEASURE_UNMET = "measure_unmet", "{cause}"
    NO_ANCHOR = (
        "no_anchor",
        "path {index} has no branches: the model was nowhere as unsure as the threshold of {threshold:.3g} nats asks",
    )
    ANCHORS_LEFT_OUT = (
        "anchors_left_out",
        "{count} of {total} paths have over {most} anchors, up to {found:,}; they branch at those of most entropy",
    )
    SOLUTION_LOST = (
        "solution_lost",
        "the task was not solved first: {cause}; the candidates were judged without a solution",
    )
    STRUCTURE_LOST = (
        "structure_lost",
        "the structure of the judgments was not chosen: {cause}; they cover breadth",
    )
    STRUCTURE_CHOSEN = "structure_chosen", "the candidates were judged in {structure}: {cause}"
    UNITS_LOST = "units_lost", "{lost} parts of {total} judgments could not be read, such as: {example}"
    SCORER_FAILED = "scorer_failed", "the scorer failed: {cause}"
    PATH_UNSCORED = "path_unscored", "path {index} unscored: {cause}"

    PATHS_VOTED_WITHOUT_SCORER = "paths_voted_without_scorer", "paths voted: the graph has no scorer"
    PATHS_VOTED_UNSCORED = "paths_voted_unscored", "paths voted: none of them could be scored"
    LEAVES_DECIDED_WITHOUT_SCORER = (
        "leaves_decided_without_scorer",
        "the probabilities of the tree's leaves decided: the graph has no scorer",
    )
    LEAVES_DECIDED_UNSCORED = (
        "leaves_decided_unscored",
        "the probabilities of the tree's leaves decided: none of them could be scored",
    )
    FAST_ANSWERS_DECIDED = (
        "fast_answers_decided",
        "no path gave an answer; the fast answers decided, though they did not converge",
    )
    NO_ANSWER = "no_answer", "neither a fast answer nor a path gave an answer"
    DRAW = "draw", "a draw: {names}"

    CANDIDATE_UNFIT = "candidate_unfit", "{name} cannot be judged: {cause}"
    ORDERS_LOST = "orders_lost", "{lost} of {total} orders of the candidates gave no verdict"
    CANDIDATES_EQUAL = "candidates_equal", "all candidates are equal; nothing had to be judged"
    TOO_FEW_CANDIDATES = "too_few_candidates", "too few candidates could be judged"

    LOW_CONFIDENCE = (
        "low_confidence",
        "the answer was withheld: its confidence is {confidence:.4g}, below {bar} {least:.4g}",
    )
    UNCALIBRATED_CONFIDENCE = (
        "uncalibrated_confidence",
        "the answer was withheld: it has no confidence of the kind that was calibrated",
    )
    RECORDED = "recorded", "{text}"
    """Read from a record, which keeps the text of a reason but not its code."""

    def reason(self, **values: object) -> Reason:
        """The reason with its text filled in."""
        return Reason(code=self.value, text=self.template.format(**values))


_NOTES = {
    ReasonCode.NO_ANCHOR,
    ReasonCode.ANCHORS_LEFT_OUT,
    ReasonCode.STRUCTURE_CHOSEN,
    ReasonCode.UNITS_LOST,
}


def loses(reason: Reason) -> bool:
    """Whether something was lost for this reason, so that the result is `degraded`."""
    return reason["code"] not in _NOTES


def texts(reasons: Iterable[Reason]) -> list[str]:
    """The texts of the reasons."""
    return [reason["text"] for reason in reasons]
