"""What a task decides."""

from __future__ import annotations

from dataclasses import dataclass, replace

from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.verification import Status


@dataclass(frozen=True)
class Decision:
    """The answer, how far it can be trusted, and why. The lists have one entry for each candidate, in input order."""

    status: Status
    answer: str | None
    confidence: float | None = None
    best_path: int | None = None
    reasons: tuple[Reason, ...] = ()
    calibrated: bool | None = None
    """Whether the confidence was fitted on labeled data; None if nothing was there to fit it."""
    best_guess: str | None = None
    """The answer that was withheld."""
    correct: bool | None = None
    winner: int | None = None
    rewards: list[float | None] | None = None
    unrewarded: list[str | None] | None = None
    tie: float | None = None

    def withheld_below(self, least: float, bar: str, confidence: float | None) -> Decision:
        """The decision, without its answer if `confidence` is missing or below `least`. The reason calls `least` by the
        name `bar`. A withheld verdict has neither a winner nor rewards."""
        if self.answer is None or (confidence is not None and confidence >= least - 1e-9):
            return self
        if confidence is None:
            reason = ReasonCode.UNCALIBRATED_CONFIDENCE.reason()
        else:
            reason = ReasonCode.LOW_CONFIDENCE.reason(confidence=confidence, bar=bar, least=least)
        return replace(
            self,
            status="abstained",
            answer=None,
            best_guess=self.answer,
            reasons=(*self.reasons, reason),
            correct=None,
            winner=None,
            rewards=None if self.rewards is None else [None] * len(self.rewards),
            unrewarded=None if self.unrewarded is None else [entry or reason["text"] for entry in self.unrewarded],
            tie=None,
        )
