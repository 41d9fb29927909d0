"""Scripted judges that see what a model would see: the candidates in their fences, under their labels."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from egrm_graph.verification import Message

_CANDIDATE = re.compile(r"\[candidate (\w+) ([0-9a-f]{8})\]\n(.*?)\n\[end of candidate \1 \2\]", re.DOTALL)


@dataclass(frozen=True)
class Shown:
    """A prompt as a judge understands it."""

    whole: str
    labels: tuple[str, ...]
    """The label of each candidate, in the order shown."""
    texts: tuple[str, ...]
    code: str
    tie: str | None
    """What to say for a tie, where that is allowed."""


def shown(prompt: Sequence[Message]) -> Shown:
    whole = prompt[-1]["content"]
    found = _CANDIDATE.findall(whole)
    labels = tuple(label for label, _, _ in found)
    tie = chr(ord("A") + len(labels)) if "if they are equally good" in whole else None
    return Shown(whole, labels, tuple(text for _, _, text in found), found[0][1], tie)


def chance(*parts: object) -> float:
    """A number in [0, 1) that follows from the parts."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big") / 2**48


Judge = Callable[[Shown, int], str]
"""The label that it gives to what is shown, under this seed."""


def script(judge: Judge) -> Callable[[Sequence[Message], int, str], str]:
    """What a client says whose verdicts are the judge's: a label, or a path that ends in a signed one."""

    def answer(prompt: Sequence[Message], seed: int, request_id: str) -> str:
        seen = shown(prompt)
        label = judge(seen, seed)
        return label if ".answer_fast." in request_id else f"I looked at them.\n{seen.code}: {label}"

    return answer


def first(seen: Shown, seed: int) -> str:
    return seen.labels[0]


def longest(seen: Shown, seed: int) -> str:
    return max(zip(map(len, seen.texts), seen.labels, strict=True))[1]


def noisy(seen: Shown, seed: int) -> str:
    labels = (*seen.labels, seen.tie) if seen.tie else seen.labels
    return labels[int(chance(seen.whole, seed) * len(labels))]


def torn(prompt: Sequence[Message]) -> Mapping[str, float]:
    """Log-probabilities that lean to the first place, and beyond that follow from the whole prompt."""
    seen = shown(prompt)
    labels = (*seen.labels, seen.tie) if seen.tie else seen.labels
    weights = [chance(seen.whole, label) ** 4 + (label == labels[0]) / 4 for label in labels]
    return {label: math.log(weight / sum(weights)) for label, weight in zip(labels, weights, strict=True)}
