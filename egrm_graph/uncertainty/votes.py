"""Votes: answers grouped into classes of equivalent ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Votes:
    """How often each answer was given.

    `lost` voters gave none, because it could not be read or the sample failed; they stay in the denominator.
    """

    answers: tuple[str, ...]
    """A representative of each class, the first that was drawn. Most votes first, ties in drawing order."""
    counts: tuple[float, ...]
    """Whole numbers if answers were drawn; expected numbers if probabilities were read."""
    lost: int

    @property
    def total(self) -> float:
        """All voters, lost ones included."""
        return sum(self.counts) + self.lost

    @property
    def top(self) -> str | None:
        """The answer with the most votes; among equals, the one drawn first. None if every voter is lost."""
        return self.answers[0] if self.answers else None


def classes(answers: Sequence[str | None], same: Callable[[str, str], bool]) -> list[int | None]:
    """The index of the first answer that each is equivalent to: one number for each class. None for a missing answer.

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


def expected(readings: Sequence[tuple[Mapping[str, float] | None, int]]) -> Votes:
    """The expected votes if that many voters each follow these probabilities. None is a reading that was lost, and its
    voters with it."""
    counts: dict[str, float] = {}
    for probabilities, voters in readings:
        for answer, probability in (probabilities or {}).items():
            counts[answer] = counts.get(answer, 0.0) + probability * voters
    entries = sorted(counts.items(), key=lambda entry: -entry[1])
    lost = sum(voters for probabilities, voters in readings if probabilities is None)
    return Votes(tuple(answer for answer, _ in entries), tuple(count for _, count in entries), lost)


def contested(votes: Votes, share: float, *, but: str) -> tuple[str, ...]:
    """The likeliest answers that together have at least this share of the votes; at least two. Lost votes and votes for
    the answer `but` do not count."""
    rivals = [(answer, n) for answer, n in zip(votes.answers, votes.counts, strict=True) if answer != but]
    wanted, held = share * sum(n for _, n in rivals), 0.0
    for i, (_, n) in enumerate(rivals, start=1):
        held += n
        if i >= 2 and held >= wanted - 1e-9:
            return tuple(answer for answer, _ in rivals[:i])
    return tuple(answer for answer, _ in rivals)


def orders_agree(ballots: Sequence[tuple[Sequence[str], Mapping[str, float]]]) -> bool | None:
    """Whether all orders of the candidates have the same winner; None if fewer than two orders have one.

    `ballots` has orders, each any number of times, with votes in that order. An order whose best are equal agrees with
    none.
    """
    votes: dict[tuple[str, ...], Counter[str]] = {}
    for order, counts in ballots:
        if order and counts:
            votes.setdefault(tuple(order), Counter()).update(counts)
    if len(votes) < 2:
        return None
    winners = set()
    for counted in votes.values():
        best = counted.most_common(2)
        if len(best) == 2 and best[0][1] - best[1][1] < 1e-9:
            return False
        winners.add(best[0][0])
    return len(winners) == 1


def tally(answers: Sequence[str | None], same: Callable[[str, str], bool]) -> Votes:
    """Groups the answers into classes and counts them."""
    return ranked(answers, same)[0]


def ranked(answers: Sequence[str | None], same: Callable[[str, str], bool]) -> tuple[Votes, tuple[int | None, ...]]:
    """The votes, and for each answer the index of its class in them; None for a missing answer."""
    firsts = classes(answers, same)
    counts = Counter(first for first in firsts if first is not None)
    order = sorted(counts, key=lambda first: -counts[first])  # stable: ties stay in drawing order
    places: dict[int | None, int] = {first: place for place, first in enumerate(order)}
    votes = Votes(
        answers=tuple(str(answers[first]) for first in order),
        counts=tuple(counts[first] for first in order),
        lost=firsts.count(None),
    )
    return votes, tuple(places.get(first) for first in firsts)


def partitions(n: int, largest: int) -> Iterator[tuple[int, ...]]:
    """The ways to split n votes into classes of at most `largest` votes, the largest class first."""
    if n == 0:
        yield ()
    for first in range(min(n, largest), 0, -1):
        for rest in partitions(n - first, first):
            yield (first, *rest)
