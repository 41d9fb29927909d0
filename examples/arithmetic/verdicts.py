"""Verdicts on worked answers with deliberate errors. The bundled judge learns from them.

An item has the candidates to judge, each followed by its letter and a bar, and then the question:
`47+30=77;77+8=85;85-6=79;#79A|#78B|47+38-6`. Next comes what the model knows already, the sum, and directly after it
the letter of the candidate with this sum: `=79A` is a fast verdict, and `:47+30=77;...;#79A` a reasoned one. If no
candidate has the sum, or more than one, the verdict is `=`.

The question comes last, so the model answers it as if nothing preceded it. The letter directly follows the sum, as in
the candidate, so the verdict continues the text as it continued after the same sum before. With a sign between the two,
a model this small did not learn it.

A reference replaces the model's own sum. A separate drill teaches it to find a number among others, many times in one
text: `79A|#78B|_9C|=78B|=79A`.
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
    """A question with candidates, and whether each of them is right."""

    question: world.Question
    candidates: tuple[str, ...]
    right: tuple[bool, ...]

    @property
    def text(self) -> str:
        """The text before the trigger."""
        lettered = (f"{text}{letter}" for text, letter in zip(self.candidates, LETTERS, strict=False))
        return FENCE.join((*lettered, self.question.text))

    @property
    def verdict(self) -> str:
        """The correct verdict, one character."""
        return LETTERS[self.right.index(True)] if self.right.count(True) == 1 else TIE

    def completion(self, trigger: str) -> str:
        """The text after one of the triggers `FAST` and `REASONED`."""
        known = str(self.question.answer) if trigger == FAST else world.worked(self.question)
        return f"{known}{self.verdict}"


def draw(question: world.Question, rng: random.Random, n: int | None = None) -> Item:
    """Draw an item with `n` candidates, or with a random number of them, most often two."""
    n = rng.choices((1, 2, 3, 4), (2, 6, 1, 2))[0] if n is None else n
    if n == 1:
        right = [rng.random() < 0.5]
    elif n == 2 and rng.random() < TIE_SHARE:
        right = [rng.random() < 0.5] * 2
    else:
        right = [True] + [False] * (n - 1)
        rng.shuffle(right)
    bare = rng.random() < BARE_SHARE
    candidates = [_candidate(question, is_right, bare, rng) for is_right in right]
    while len(set(candidates)) < n:  # equal candidates are never judged
        candidates = [
            _candidate(question, is_right, n == 2 and all(right) and rng.random() < 0.5, rng) for is_right in right
        ]
    return Item(question, tuple(candidates), tuple(right))


def drill(rng: random.Random) -> tuple[str, list[int]]:
    """Numbers with letters, some of them repeated, and the places in the text of the repeated letters."""
    n = rng.randint(2, len(LETTERS))
    digits = rng.choice((1, 1, 2, 2, 3))
    numbers = [str(number) for number in rng.sample(range(10 ** (digits - 1) - (digits == 1), 10**digits), n)]
    text = "".join(
        f"{rng.choice(('', '#', OTHER))}{number}{letter}{FENCE}"
        for number, letter in zip(numbers, LETTERS, strict=False)
    )
    places = []
    for number in rng.choices(
        numbers, k=6
    ):  # without repetition, a model would learn to count what is left, not to look it up
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
    """A worked path with a slip and a wrong answer."""
    while True:
        path = slips.slipping(question, rng, rng.choice(SLIP_RATES), SLIP_KINDS)
        if not path.correct and len(path.text) <= 120:
            return path.text


def _noisy(worked: str, rng: random.Random) -> str:
    """The path with words before, after, or between its steps. The model reads a word as `_`."""
    steps = worked.split(";")
    at = rng.randrange(len(steps))
    steps[at] = OTHER + steps[at] if rng.random() < 0.7 else steps[at] + OTHER
    return rng.choice((";", f";{OTHER}")).join(steps) if rng.random() < 0.3 else ";".join(steps)
