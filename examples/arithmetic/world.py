"""The questions of the bundled models: sums and differences of small numbers, in seven levels of difficulty.

A question is a line such as ``47+38-6``. The levels differ in how much a model has to keep in mind at once. A small
model answers the first levels directly, is uncertain on the middle ones, and needs written steps for the last. No
running total is negative.

A hash of the *sorted terms* decides the side of the split. `17+48` and `48+17` are on the same side, so training data
never contains a test question in another order.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Side = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Level:
    """A level of difficulty: the largest value of each term, in order."""

    name: str
    limits: tuple[int, ...]


LEVELS = (
    Level("1: two terms to 99", (99, 99)),
    Level("2: four terms of one digit", (9, 9, 9, 9)),
    Level("3: three terms, two of one digit", (99, 9, 9)),
    Level("4: three terms, one of one digit", (99, 99, 9)),
    Level("5: three terms to 99", (99, 99, 99)),
    Level("6: four terms to 99", (99, 99, 99, 99)),
    Level("7: five terms to 99", (99, 99, 99, 99, 99)),
)
"""The levels that the models are trained on."""
BEYOND = Level("8: six terms to 99", (99, 99, 99, 99, 99, 99))
"""A level harder than anything in training, to see how the figures of a model change there."""


@dataclass(frozen=True)
class Question:
    """One question, with its correct answer and its 1-based level."""

    terms: tuple[int, ...]
    level: int

    @property
    def text(self) -> str:
        """The question as the model reads it, such as `47+38-6`."""
        first, *rest = self.terms
        return str(first) + "".join(f"{term:+d}" for term in rest)

    @property
    def answer(self) -> int:
        return sum(self.terms)

    @property
    def side(self) -> Side:
        """The side of the split: one tenth each for test and validation, and the rest for training."""
        canonical = ",".join(str(term) for term in sorted(self.terms))
        bucket = hashlib.sha256(canonical.encode()).digest()[0] % 10
        return "test" if bucket == 0 else "validation" if bucket == 1 else "train"


def worked(question: Question) -> str:
    """The reasoning that the model learns: each term added place by place, then `#` and the answer.

    `47+38-6` is worked as `47+30=77;77+8=85;85-6=79;#79`.
    """
    total, *rest = question.terms
    steps = []
    for term in rest:
        sign = 1 if term > 0 else -1
        for part in places(abs(term)):
            steps.append(f"{total}{sign * part:+d}={total + sign * part};")
            total += sign * part
    return "".join(steps) + f"#{total}"


def places(number: int) -> list[int]:
    """The parts in which a number is added, such as 40 and 8 for 48. Zeros are left out."""
    digits = str(number)
    return [int(digit) * 10 ** (len(digits) - 1 - i) for i, digit in enumerate(digits) if digit != "0"]


def draw(rng: random.Random, level: int) -> Question:
    """Draw a question of a 1-based level, from any side of the split."""
    while True:
        terms = [rng.randint(1, limit) for limit in (*LEVELS, BEYOND)[level - 1].limits]
        rng.shuffle(terms)
        signed = terms[:1] + [rng.choice((1, -1)) * term for term in terms[1:]]
        if _never_below_zero(signed):
            return Question(tuple(signed), level)


def _never_below_zero(terms: list[int]) -> bool:
    total = 0
    for term in terms:
        total += term
        if total < 0:
            return False
    return True


def stream(rng: random.Random, side: Side, weights: Sequence[float] = (1,) * len(LEVELS)) -> Iterator[Question]:
    """An endless stream of questions from one side. `weights` has the share of each level, from the first on."""
    levels = range(1, len(weights) + 1)
    while True:
        question = draw(rng, rng.choices(levels, weights)[0])
        if question.side == side:
            yield question


def sample(n: int, side: Side, seed: int) -> list[Question]:
    """`n` different questions from one side, with equal shares of all levels in random order."""
    rng = random.Random(seed)
    by_text: dict[str, Question] = {}
    while len(by_text) < n:
        question = draw(rng, len(by_text) % len(LEVELS) + 1)
        if question.side == side:
            by_text.setdefault(question.text, question)
    questions = list(by_text.values())
    rng.shuffle(questions)
    return questions
