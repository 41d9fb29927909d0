"""Judgments of a pair in two structures and without one, as a small model writes them after `:`.

A unit is a principle's letter, its judgment, and a sub-verdict. A judgment of a taste lists the evidence in each
candidate and its number: `e04=2,882=3B;` says that 30471 has two even digits and 8812 three, and favors B. The last
character is the verdict.

*Breadth* is one unit for each of the five tastes in a fixed order. The verdict is their majority.
*Depth* derives something first, after `>`: the sum on correctness, and the evidence of one to three tastes on
preference. The units then quote the derivation: `>47+30=77;77+8=85;85-6=79;#79A;A` and `>e04=2,882=3;e2,3B;B`.
*Raw* names one to three tastes at random between restatements of the candidates, without units. It is as long as the
other two are on average.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import world
from tastes import LETTERS, MIXED, TASTES, Outcome, Pair, Taste, majority

Structure = Literal["breadth", "depth", "raw"]
STRUCTURES: tuple[Structure, ...] = ("breadth", "depth", "raw")
TRACE = ">"
END = ";"
ANSWER = "#"
"""The principle that an answer equals the derived one."""
HOW_MANY = (2, 1, 1)
"""The weights of naming one, two, and three tastes."""


@dataclass(frozen=True)
class Written:
    """A judgment's text and its verdict."""

    text: str
    verdict: Outcome


def breadth(pair: Pair, tastes: Sequence[Taste] = TASTES) -> Written:
    """A unit for each taste. The verdict is the majority of the units."""
    verdict = majority([taste.prefers(*pair.digits) for taste in tastes])
    units = "".join(f"{_evidence(taste, pair)}{taste.prefers(*pair.digits)}{END}" for taste in tastes)
    return Written(units + verdict, verdict)


def depth(pair: Pair, rng: random.Random, *, derived: bool = True) -> Written:
    """A derivation, and units that quote it; without `derived`, only the units. On preference, the units have a strict
    majority."""
    if pair.sum is not None and pair.answers is not None:
        steps, _, answer = world.worked(pair.sum).rpartition(ANSWER)
        verdict: Outcome = LETTERS[pair.answers.index(int(answer))]
        units = f"{ANSWER}{answer}{verdict}{END}"
    else:
        tastes, (a, b) = named(pair, rng), pair.digits
        steps = "".join(_evidence(taste, pair) + END for taste in tastes)
        units = "".join(
            f"{taste.letter}{taste.value(a)},{taste.value(b)}{taste.prefers(a, b)}{END}" for taste in tastes
        )
        verdict = majority([taste.prefers(a, b) for taste in tastes])
    return Written(f"{TRACE if derived else ''}{steps if derived else ''}{units}{verdict}", verdict)


def raw(pair: Pair, rng: random.Random) -> Written:
    """Tastes named between restatements, until the text is as long as the other two structures are on average."""
    restated = ",".join(pair.digits)
    length = (len(breadth(pair).text) + len(depth(pair, rng).text)) / 2
    tastes = named(pair, rng)
    parts = [_evidence(taste, pair) for taste in tastes]
    while sum(map(len, (restated, *parts))) + len(parts) + 2 + len(restated) / 2 < length:
        parts.insert(rng.randint(0, len(parts)), restated)
    verdict = majority([taste.prefers(*pair.digits) for taste in tastes])
    return Written(",".join((restated, *parts, verdict)), verdict)


def named(pair: Pair, rng: random.Random) -> list[Taste]:
    """One to three different tastes at random that have a strict majority on the pair."""
    while True:
        tastes = rng.sample(TASTES, rng.choices((1, 2, 3), HOW_MANY)[0])
        if majority([taste.prefers(*pair.digits) for taste in tastes]) != MIXED:
            return tastes


def _evidence(taste: Taste, pair: Pair) -> str:
    """`e04=2,882=3`. The digits added one by one already end with their sum."""
    sides = (
        taste.listed(digits) if taste.letter == "d" else f"{taste.listed(digits)}={taste.value(digits)}"
        for digits in pair.digits
    )
    return taste.letter + ",".join(sides)


def merged(pair: Pair, rng: random.Random, rationales: int) -> Written:
    """Breadth with the tastes that `rationales` raw rationales name together.

    Where their sub-verdicts balance, another rationale is added.
    """
    tastes: set[Taste] = set()
    while rationales > 0 or majority([taste.prefers(*pair.digits) for taste in tastes]) == MIXED:
        tastes.update(named(pair, rng))
        rationales -= 1
    return breadth(pair, [taste for taste in TASTES if taste in tastes])


def unmerged(pair: Pair, rng: random.Random, rationales: int) -> Written:
    """The units of `rationales` raw rationales one after the other. The verdict is the majority of theirs.

    Where they balance, another rationale is added.
    """
    units, verdicts = "", list[Outcome]()
    while rationales > 0 or majority(verdicts) == MIXED:
        tastes = named(pair, rng)
        rationale = breadth(pair, tastes)
        units += rationale.text[:-1]
        verdicts.append(rationale.verdict)
        rationales -= 1
    return Written(units + majority(verdicts), majority(verdicts))
