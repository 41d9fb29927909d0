"""Verdicts on worked answers with planted errors: what the bundled model learns judging from.

An item is the candidates to judge, each with its letter and a bar behind it, and the question:
`47+30=77;77+8=85;85-6=79;#79A|#78B|47+38-6`. What follows is what the model knows already, the sum, and then the
verdict: `=79>A` for a fast one, `:47+30=77;...;#79>A` for a reasoned one. The question stands last, so that it is
answered as if nothing were before it; and a letter stands right behind its candidate's sum, so that to find the
candidate with this sum is to find its letter.

- One candidate: `1` where its answer is right, else `0`.
- Two: the letter of the right one, or `=` where both are right or both are wrong.
- Three or more: the letter of the one that is right.

A reference is put in the place of the model's own sum: `=79>` asks for the verdict alone.

To find the candidate with a sum is drilled by itself, many sums to the same candidates:
`#79A|#78B|47+38-6=79>A|9+1=10>=`.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

import slips
import world

LETTERS = "ABCDEFGH"
FENCE, FAST, REASONED, VERDICT, TIE, OTHER = "|", "=", ":", ">", "=", "_"
RIGHT, WRONG = "1", "0"
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
        if len(self.right) == 1:
            return RIGHT if self.right[0] else WRONG
        if len(set(self.right)) == 1:
            return TIE
        return LETTERS[self.right.index(True)]

    def completion(self, trigger: str) -> str:
        """What follows the text and one of `FAST` and `REASONED`."""
        known = str(self.question.answer) if trigger == FAST else world.worked(self.question)
        return f"{known}{VERDICT}{self.verdict}"


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


def drill(questions: Sequence[world.Question], rng: random.Random) -> tuple[str, list[int]]:
    """Candidates and then sums, right or not, each with its verdict; and where the verdicts stand in the text."""
    n = rng.choices(range(1, len(LETTERS) + 1), (2, 6, 3, 3, 1, 1, 1, 1))[0]
    bare = n > 4 or rng.random() < BARE_SHARE
    candidates = [_candidate(question, rng.random() < 0.5, bare, rng) for question in questions[:n]]
    if rng.random() < TIE_SHARE:
        candidates[-1] = f"#{_sum(candidates[0])}"
    sums = [_sum(candidate) for candidate in candidates]
    text = "".join(f"{candidate}{letter}{FENCE}" for candidate, letter in zip(candidates, LETTERS, strict=False))
    asked = [*sums, *(str(slips.near(int(rng.choice(sums)), rng)) for _ in range(2))]
    rng.shuffle(asked)
    places = []
    for question, number in zip(itertools.cycle(questions), asked, strict=False):
        text += f"{question.text}={number}{VERDICT}"
        places.append(len(text))
        text += _found(number, sums) + FENCE
    return text[:-1], places


def short_drill(rng: random.Random) -> tuple[str, list[int]]:
    """The same with nothing but numbers, of one digit to three: many to a batch."""
    n = rng.randint(2, len(LETTERS))
    digits = rng.choice((1, 1, 2, 2, 3))
    numbers = [str(number) for number in rng.sample(range(10 ** (digits - 1) - (digits == 1), 10**digits), n)]
    text = "".join(
        f"{rng.choice(('', '#', '_'))}{number}{letter}{FENCE}" for number, letter in zip(numbers, LETTERS, strict=False)
    )
    asked = rng.sample(numbers, n) + [str(slips.near(int(rng.choice(numbers)), rng))] * (rng.random() < TIE_SHARE)
    places = []
    for number in asked:
        text += f"{FAST}{number}{VERDICT}"
        places.append(len(text))
        text += _found(number, numbers) + FENCE
    return text[:-1], places


def _found(number: str, sums: Sequence[str]) -> str:
    if len(sums) == 1:
        return RIGHT if number == sums[0] else WRONG
    return LETTERS[sums.index(number)] if sums.count(number) == 1 else TIE


def _sum(candidate: str) -> str:
    return str(re.findall("-?[0-9]+", candidate)[-1])


def _candidate(question: world.Question, right: bool, bare: bool, rng: random.Random) -> str:
    worked = world.worked(question) if right else _wrong(question, rng)
    if bare:
        answer = worked.rpartition("#")[2]
        return rng.choice(("{}", "#{}", "#{}", "_{}", "_{}_")).format(answer)
    return _noisy(worked, rng) if rng.random() < NOISE_SHARE else worked


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
