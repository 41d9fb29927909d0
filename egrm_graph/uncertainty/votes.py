"""Votes: answers gathered into classes of equivalent ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Votes:
    """How often each answer was given.

    `lost` voters gave none, because it could not be read or the sample failed; they stay in the denominator.
    """

    answers: tuple[str, ...]
    """One representative of each class, the first that was drawn; most votes first, ties in drawing order."""
    counts: tuple[int, ...]
    lost: int

    @property
    def total(self) -> int:
        """All voters, lost ones included."""
        return sum(self.counts) + self.lost

    @property
    def top(self) -> str | None:
        """The answer with the most votes; of equals, the one drawn first. None where every voter is lost."""
        return self.answers[0] if self.answers else None


def tally(answers: Sequence[str | None], same: Callable[[str, str], bool]) -> Votes:
    """Gathers the answers into classes; an answer joins the first class whose representative it is equivalent to."""
    classes: list[tuple[str, int]] = []
    for answer in answers:
        if answer is None:
            continue
        for i, (representative, count) in enumerate(classes):
            if same(representative, answer):
                classes[i] = (representative, count + 1)
                break
        else:
            classes.append((answer, 1))
    ranked = sorted(classes, key=lambda entry: -entry[1])  # stable: ties stay in drawing order
    return Votes(
        answers=tuple(answer for answer, _ in ranked),
        counts=tuple(count for _, count in ranked),
        lost=sum(answer is None for answer in answers),
    )
