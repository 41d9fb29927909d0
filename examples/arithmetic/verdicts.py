"""Verdicts on worked answers with planted errors: what the bundled model learns judging from.

An item is the candidates to judge, each with its letter and a bar behind it, and the question:
`47+30=77;77+8=85;85-6=79;#79A|#78B|47+38-6`. What follows is what the model knows already, the sum, and right behind it
the letter of the candidate that comes to this sum: `=79A` is a fast verdict, `:47+30=77;...;#79A` a reasoned one. Where
no candidate comes to it, or more than one, the verdict is `=`.

The question stands last, so that it is answered as if nothing were before it. The letter stands right behind the sum,
as it does in the candidate, so that to give the verdict is to go on as the text did after the same sum: with a sign
between the two, a model this small did not learn it.

A reference is put in the place of the model's own sum. To find a number among others is drilled by itself, many times
in a text: `79A|#78B|_9C|=78B|=79A`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import slips
import world

LETTERS = "ABCDEFGH"
FENCE, FAST, REASONED, TIE, OTHER = "|", "=", ":", "=", "_"
BARE_SHARE = 0.4
TIE_SHARE = 0.2
NOISE_SHARE = 0.15
SLIP_RATES = (0.1, 0.2, 0.4)
SLIP_KINDS = (4, 2, 2, 1, 1, 1, 1)


@dataclass(frozen=True)
class Item:
    """A question and candidates, of which `right` says which are."""

    question: world.Question
    candidates: tuple[str, ...]
    right: tuple[bool, ...]

    @property
    def text(self) -> str:
        """What stands before the model is asked."""
        lettered = (f"{text}{letter}" for text, letter in zip(self.candidates, LETTERS, strict=False))
        return FENCE.join((*lettered, self.question.text))

    @property
    def verdict(self) -> str:
        """The right one-character verdict."""
        return LETTERS[self.right.index(True)] if self.right.count(True) == 1 else TIE

    def completion(self, trigger: str) -> str:
        """What follows the text and one of `FAST` and `REASONED`."""
        known = str(self.question.answer) if trigger == FAST else world.worked(self.question)
        return f"{known}{self.verdict}"


def draw(question: world.Question, rng: random.Random, n: int | None = None) -> Item:
    """An item of `n` candidates, or of a number drawn at random: mostly pairs."""
    n = rng.choices((1, 2, 3, 4), (2, 6, 1, 2))[0] if n is None else n
    if n == 1:
        right = [rng.random() < 0.5]
    elif n == 2 and rng.random() < TIE_SHARE:
        right = [rng.random() < 0.5] * 2
    else:
        right = [True] + [False] * (n - 1)
        rng.shuffle(right)
    bare = rng.random() < BARE_SHARE
    candidates = [_candidate(question, each, bare, rng) for each in right]
    while len(set(candidates)) < n:  # equal candidates are never judged
        candidates = [_candidate(question, each, n == 2 and all(right) and rng.random() < 0.5, rng) for each in right]
    return Item(question, tuple(candidates), tuple(right))


def drill(rng: random.Random) -> tuple[str, list[int]]:
    """Numbers with letters, and then some of them again; and where in the text their letters stand again."""
    n = rng.randint(2, len(LETTERS))
    digits = rng.choice((1, 1, 2, 2, 3))
    numbers = [str(number) for number in rng.sample(range(10 ** (digits - 1) - (digits == 1), 10**digits), n)]
    text = "".join(
        f"{rng.choice(('', '#', OTHER))}{number}{letter}{FENCE}"
        for number, letter in zip(numbers, LETTERS, strict=False)
    )
    places = []
    for number in rng.choices(numbers, k=6):  # of what is left over, a model would learn to count, not to look
        text += f"{FAST}{number}"
        places.append(len(text))
        text += LETTERS[numbers.index(number)] + FENCE
    return text[:-1], places


def _candidate(question: world.Question, right: bool, bare: bool, rng: random.Random) -> str:
    worked = world.worked(question) if right else _wrong(question, rng)
    if bare:
        answer = worked.rpartition("#")[2]
        return rng.choice(("{}", "#{}", "#{}", "_{}")).format(answer)
    return _noisy(worked, rng).rstrip(OTHER) if rng.random() < NOISE_SHARE else worked


def _wrong(question: world.Question, rng: random.Random) -> str:
    """A worked path with a slip that leads to a wrong answer."""
    while True:
        path = slips.slipping(question, rng, rng.choice(SLIP_RATES), SLIP_KINDS)
        if not path.correct and len(path.text) <= 120:
            return path.text


def _noisy(worked: str, rng: random.Random) -> str:
    """The path with words, which the model reads as `_`, in front of, behind or between its steps."""
    steps = worked.split(";")
    at = rng.randrange(len(steps))
    steps[at] = OTHER + steps[at] if rng.random() < 0.7 else steps[at] + OTHER
    return rng.choice((";", f";{OTHER}")).join(steps) if rng.random() < 0.3 else ";".join(steps)
