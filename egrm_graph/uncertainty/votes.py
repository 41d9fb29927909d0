"""Votes: answers gathered into classes of equivalent ones."""

from __future__ import annotations

from collections import Counter
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


def classes(answers: Sequence[str | None], same: Callable[[str, str], bool]) -> list[int | None]:
    """The index of the first answer that each is equivalent to: one number for each class. None where there is none.

    An answer joins the first class whose representative it is equivalent to.
    """
    found: list[int | None] = []
    representatives: list[tuple[int, str]] = []
    for i, answer in enumerate(answers):
        if answer is None:
            found.append(None)
            continue
        number = next((first for first, spelled in representatives if same(spelled, answer)), i)
        if number == i:
            representatives.append((i, answer))
        found.append(number)
    return found


def tally(answers: Sequence[str | None], same: Callable[[str, str], bool]) -> Votes:
    """Gathers the answers into classes and counts them."""
    counts = Counter(classes(answers, same))
    lost = counts.pop(None, 0)
    ranked = sorted(counts.items(), key=lambda entry: -entry[1])  # stable: ties stay in drawing order
    return Votes(
        answers=tuple(str(answers[first]) for first, _ in ranked if first is not None),
        counts=tuple(count for _, count in ranked),
        lost=lost,
    )
