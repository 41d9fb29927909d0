"""Worked paths with one planted error each: what a sampled path goes wrong by, in any number.

A good model's own paths are seldom wrong, and a scorer learns little from a file in which one path in twenty is. Here
one step in a right path is spoiled: its result is off, or the number that it adds is not the one in the question, or
it is left out. What follows goes on from there without another error, as a model does.
"""

from __future__ import annotations

import random

import world

OFF_BY = (1, 1, 1, 2, 3, 9, 10, 10, 11, 20, 100)


def spoiled(question: world.Question, rng: random.Random) -> str:
    """A path of the question with one error, that ends in a wrong answer."""
    while True:
        parts = [(1 if term > 0 else -1) * part for term in question.terms[1:] for part in world.places(abs(term))]
        path = _worked_wrongly(question.terms[0], parts, rng.randrange(len(parts)), rng)
        if path is not None and path.rpartition("#")[2] != str(question.answer):
            return path


def _worked_wrongly(total: int, parts: list[int], spoil: int, rng: random.Random) -> str | None:
    """The steps with the one at `spoil` done wrongly; None where a total would fall below zero."""
    kind = rng.choices(("result", "part", "missing"), (8, 3, 1))[0]
    steps = []
    for i, part in enumerate(parts):
        if i == spoil and kind == "missing":
            continue
        if i == spoil and kind == "part":
            part += rng.choice((1, -1)) * 10 ** (len(str(abs(part))) - 1)  # noqa: PLW2901
        result = total + part
        if i == spoil and kind == "result":
            result += rng.choice((1, -1)) * rng.choice(OFF_BY)
        if result < 0 or part == 0:
            return None
        steps.append(f"{total}{part:+d}={result};")
        total = result
    return "".join(steps) + f"#{total}"
