"""Worked paths with slips, and a mark for every character. A scorer learns to check paths from them.

The paths of a good model are rarely wrong, and one mark for a full path says little about where it went wrong. Here,
random steps of a worked path are wrong, and the rest continues from what was written, as a model does. A character is
marked wrong if it is the first to differ from the correct step, given everything before it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import world

RIGHT, WRONG, UNMARKED = 1, 0, -100
KINDS = (
    "result",  # a wrong sum
    "part",  # a number added that differs from the question in a digit, a sign, or a place
    "total",  # a wrong total carried over
    "missing",  # a part left out
    "misread",  # 32 read as 3
    "extra",  # a part added again
    "stop",  # the answer given before all parts are added
)
OFF_BY = (1, 1, 1, 2, 3, 9, 10, 10, 11, 20, 100)


@dataclass(frozen=True)
class Marked:
    """A path, with `RIGHT`, `WRONG`, or `UNMARKED` for each of its characters."""

    question: world.Question
    text: str
    marks: tuple[int, ...]

    @property
    def correct(self) -> bool:
        """Whether the answer is right, even if the steps are not."""
        return self.text.rpartition("#")[2] == str(self.question.answer)


def slipping(question: world.Question, rng: random.Random, rate: float, kinds: Sequence[float]) -> Marked:
    """Work out the question with a slip in about `rate` of the steps. `kinds` has the weights of the kinds of slips."""
    total, text, marks = question.terms[0], "", []
    parts = [(1 if term > 0 else -1) * part for term in question.terms[1:] for part in world.places(abs(term))]
    while parts:
        right = _step(total, parts[0])
        written, after, used = right, total + parts[0], 1
        if rng.random() < rate and (slip := _slip(total, parts, kinds, rng)) is not None:
            written, after, used = slip
        text += written
        marks += _marks(right, written)
        if written.startswith("#"):
            return Marked(question, text, tuple(marks))
        total, parts = after, parts[used:]
    answer = f"#{total}"
    written = f"#{near(total, rng)}" if rng.random() < rate / 4 else answer
    return Marked(question, text + written, (*marks, *_marks(answer, written)))


def _step(total: int, part: int) -> str:
    return f"{total}{part:+d}={total + part};"


def _slip(total: int, parts: list[int], kinds: Sequence[float], rng: random.Random) -> tuple[str, int, int] | None:
    """A wrong step, the total after it, and the number of parts it used; None if no such step exists."""
    part, used = parts[0], 1
    kind = rng.choices(KINDS, kinds)[0]
    if kind == "result":
        after = near(total + part, rng)
        written = f"{total}{part:+d}={after};"
    elif kind == "part":
        other = _other_part(part, rng)
        after, written = total + other, _step(total, other)
    elif kind == "total":
        wrong = near(total, rng)
        after, written = wrong + part, _step(wrong, part)
    elif kind == "missing" and len(parts) > 1:
        after, written, used = total + parts[1], _step(total, parts[1]), 2
    elif kind == "misread" and abs(part) >= 10:
        digit = (1 if part > 0 else -1) * int(str(abs(part))[0])
        units = len(parts) > 1 and abs(parts[1]) < 10 and (parts[1] > 0) == (part > 0)
        after, written, used = total + digit, _step(total, digit), 1 + units
    elif kind == "extra":
        other = rng.choice((1, -1)) * rng.choice(range(1, 10)) * rng.choice((1, 10))
        after, written, used = total + other, _step(total, other), 0
    elif kind == "stop":
        after, written = total, f"#{total}"
    else:
        return None
    return None if after < 0 or written == _step(total, part) else (written, after, used)


def near(number: int, rng: random.Random) -> int:
    """A number close to this one, or with another digit in one place. It is usually different."""
    if rng.random() < 0.5:
        return abs(number + rng.choice((1, -1)) * rng.choice(OFF_BY))
    digits = list(str(number))
    digits[rng.randrange(len(digits))] = rng.choice("0123456789")
    return int("".join(digits))


def _other_part(part: int, rng: random.Random) -> int:
    """Another part, with a changed digit, sign, or place."""
    sign, digits = (1 if part > 0 else -1), str(abs(part))
    kind = rng.choices(("digit", "sign", "place"), (4, 1, 1))[0]
    if kind == "digit":
        return sign * int(rng.choice("123456789") + digits[1:])
    if kind == "sign":
        return -part
    return sign * int(digits[0] + "0" * (2 - len(digits)))


def _marks(right: str, written: str) -> list[int]:
    """The marks of what was written instead of the right step. The end of a wrong step is marked wrong too."""
    if written == right:
        return [RIGHT] * len(written)
    same = 0
    while same < min(len(right), len(written)) and right[same] == written[same]:
        same += 1
    marks = [RIGHT] * same + [UNMARKED] * (len(written) - same)
    if same < len(written):
        marks[same] = WRONG
    marks[-1] = WRONG
    return marks
