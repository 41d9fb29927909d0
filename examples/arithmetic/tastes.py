"""Pairs in one outward form from two domains: which answer to a sum is right, and which digits most tastes prefer.

A pair is two candidates and a question. In the domain *correctness* the question is a sum, and a candidate is a string
of digits, `#`, and an answer: `30471#79A|8812#78B|47+38-6`. One answer is right. The digits are its style, and have
nothing to do with the sum. In the domain *preference* the question is `?`, and a candidate is digits alone:
`30471A|8812B|?`. The better one is the one that more of five tastes prefer. No question names a taste.

Everything here is planted. The majority of tastes is the truth about preference, apart from label noise. On
correctness, the right answer has the preferred style in most items, so that surface tastes are often right there, and
never surely.

A hash of the two strings of digits in sorted order decides the side of the split, as a hash of the terms does for a
sum. An item in another order is on the same side.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import slips
import world

Domain = Literal["correctness", "preference"]
Outcome = Literal["A", "B", "M"]

DOMAINS: tuple[Domain, ...] = ("correctness", "preference")
LETTERS: tuple[Literal["A"], Literal["B"]] = ("A", "B")
OTHER: Mapping[str, Literal["A", "B"]] = {"A": "B", "B": "A"}
MIXED: Literal["M"] = "M"
OPEN_QUESTION = "?"
"""The question of every preference."""
SHORTEST, LONGEST = 3, 5
LEVEL_WEIGHTS = (0, 0, 1, 1, 1, 1)
"""The sums have levels 3 to 6 of `world.LEVELS`."""


@dataclass(frozen=True)
class Taste:
    """A way to value a string of digits. The candidate with the larger value is preferred."""

    letter: str
    name: str
    listed: Callable[[str], str]
    """The evidence for the value, one local step after another."""
    value: Callable[[str], int]
    """The value as a judgment states it."""
    sign: int = 1
    """-1 if a smaller value is better."""

    def prefers(self, a: str, b: str) -> Outcome:
        """The candidate that is preferred, or `MIXED`."""
        difference = self.sign * (self.value(a) - self.value(b))
        return "A" if difference > 0 else "B" if difference < 0 else MIXED


def _total(digits: str) -> int:
    return sum(map(int, digits))


def _added(digits: str) -> str:
    """The digits added one by one: `3+0=3+4=7` for 304."""
    text, total = digits[0], int(digits[0])
    for digit in digits[1:]:
        total += int(digit)
        text += f"+{digit}={total}"
    return text


def _even(digits: str) -> str:
    return "".join(digit for digit in digits if digit in "02468")


def _distinct(digits: str) -> str:
    return "".join(dict.fromkeys(digits))


def _rises(digits: str) -> str:
    """The digits that are larger than the one before."""
    return "".join(digit for before, digit in itertools.pairwise(digits) if digit > before)


TASTES = (
    Taste("n", "shorter", lambda digits: digits, len, sign=-1),
    Taste("d", "larger digit sum", _added, _total),
    Taste("e", "more even digits", _even, lambda digits: len(_even(digits))),
    Taste("u", "more distinct digits", _distinct, lambda digits: len(_distinct(digits))),
    Taste("r", "more rises", _rises, lambda digits: len(_rises(digits))),
)


@dataclass(frozen=True)
class World:
    """How pairs are drawn."""

    label_noise: float = 0.05
    """The share of preferences with the other label."""
    agreement: float = 0.8
    """The share of sums whose right answer has the style that most tastes prefer."""
    least_style_lead: int = 3
    """The lead of the preferred style of an answer, in tastes. For a preference, a lead of one is enough."""
    unanimous: bool = False
    """Whether no taste prefers the other string."""


PLANTED = World()
NEUTRAL = World(label_noise=0, agreement=1, unanimous=True)
"""A control: both structures of a judgment are always right here, so that choosing one of them gains nothing."""


@dataclass(frozen=True)
class Pair:
    """Two candidates for one question, and the letter of the better one."""

    domain: Domain
    digits: tuple[str, str]
    answers: tuple[int, int] | None
    """The answers of the candidates; None for a preference."""
    sum: world.Question | None
    label: Literal["A", "B"]

    @property
    def question(self) -> str:
        return OPEN_QUESTION if self.sum is None else self.sum.text

    @property
    def candidates(self) -> tuple[str, str]:
        if self.answers is None:
            return self.digits
        a, b = (f"{style}#{answer}" for style, answer in zip(self.digits, self.answers, strict=True))
        return a, b

    @property
    def text(self) -> str:
        """The text before the trigger."""
        a, b = self.candidates
        return f"{a}A|{b}B|{self.question}"

    @property
    def tastes(self) -> tuple[Outcome, ...]:
        """What each taste prefers, in the order of `TASTES`."""
        return tuple(taste.prefers(*self.digits) for taste in TASTES)


def majority(outcomes: Sequence[str]) -> Outcome:
    """The letter with more outcomes than the other; `MIXED` if neither has."""
    lead = outcomes.count("A") - outcomes.count("B")
    return "A" if lead > 0 else "B" if lead < 0 else MIXED


def side_of(a: str, b: str) -> world.Side:
    """The side of the split, the same in either order."""
    bucket = hashlib.sha256(",".join(sorted((a, b))).encode()).digest()[0] % 10
    return "test" if bucket == 0 else "validation" if bucket == 1 else "train"


def strings(
    rng: random.Random, side: world.Side, least_lead: int = 1, *, unanimous: bool = False
) -> tuple[tuple[str, str], Literal["A", "B"]]:
    """Two strings of digits from one side, and the one that most tastes prefer. Their lengths differ by one at most."""
    while True:
        length = rng.randint(SHORTEST, LONGEST)
        other = min(max(length + rng.choice((-1, 0, 1)), SHORTEST), LONGEST)
        a, b = ("".join(rng.choices("0123456789", k=k)) for k in (length, other))
        outcomes = [taste.prefers(a, b) for taste in TASTES]
        for_a, for_b = outcomes.count("A"), outcomes.count("B")
        if side_of(a, b) == side and abs(for_a - for_b) >= least_lead and not (unanimous and for_a and for_b):
            return (a, b), "A" if for_a > for_b else "B"


def stream(rng: random.Random, side: world.Side, domain: Domain, planted: World = PLANTED) -> Iterator[Pair]:
    """An endless stream of pairs of one domain from one side."""
    sums = world.stream(rng, side, LEVEL_WEIGHTS)
    while True:
        if domain == "preference":
            yield _preference(rng, side, planted)
        else:
            yield _correctness(next(sums), rng, side, planted)


def sample(n: int, side: world.Side, domain: Domain, seed: int, planted: World = PLANTED) -> list[Pair]:
    """`n` pairs of one domain from one side that differ in their candidates, in either order."""
    found: dict[tuple[str, ...], Pair] = {}
    for pair in stream(random.Random(f"{seed} {domain}"), side, domain, planted):
        found.setdefault((*sorted(pair.candidates), pair.question), pair)
        if len(found) == n:
            break
    return list(found.values())


def _preference(rng: random.Random, side: world.Side, planted: World) -> Pair:
    digits, preferred = strings(rng, side, unanimous=planted.unanimous)
    noisy = rng.random() < planted.label_noise
    return Pair("preference", digits, None, None, OTHER[preferred] if noisy else preferred)


def _correctness(question: world.Question, rng: random.Random, side: world.Side, planted: World) -> Pair:
    digits, preferred = strings(rng, side, planted.least_style_lead, unanimous=planted.unanimous)
    label = preferred if rng.random() < planted.agreement else OTHER[preferred]
    right, wrong = question.answer, question.answer
    while wrong == right:
        wrong = slips.near(right, rng)
    return Pair("correctness", digits, (right, wrong) if label == "A" else (wrong, right), question, label)
