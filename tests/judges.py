"""Scripted judges, which read the same prompt as a model: fenced candidates with labels."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from egrm_graph.verification import Message

_CANDIDATE = re.compile(r"\[candidate (\w+) ([0-9a-f]{8})\]\n(.*?)\n\[end of candidate \1 \2\]", re.DOTALL)


@dataclass(frozen=True)
class JudgePrompt:
    """A prompt as a judge understands it."""

    text: str
    labels: tuple[str, ...]
    """The label of each candidate, in the order of the prompt."""
    texts: tuple[str, ...]
    code: str
    tie: str | None
    """The label of a tie, if one is allowed."""


def read_prompt(prompt: Sequence[Message]) -> JudgePrompt:
    """The candidates and labels of a prompt."""
    content = prompt[-1]["content"]
    found = _CANDIDATE.findall(content)
    labels = tuple(label for label, _, _ in found)
    tie = chr(ord("A") + len(labels)) if "if they are equally good" in content else None
    return JudgePrompt(content, labels, tuple(text for _, _, text in found), found[0][1], tie)


def chance(*parts: object) -> float:
    """A number in [0, 1) that depends only on the parts."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:6], "big") / 2**48


Judge = Callable[[JudgePrompt, int], str]
"""Gives the label of its choice for a prompt and a seed."""


def script(judge: Judge) -> Callable[[Sequence[Message], int, str], str]:
    """The script of a client that replies with the judge's label. A path ends with the code and the label."""

    def answer(prompt: Sequence[Message], seed: int, request_id: str) -> str:
        seen = read_prompt(prompt)
        label = judge(seen, seed)
        return label if ".answer_fast." in request_id else f"I have read them.\n{seen.code}: {label}"

    return answer


def first(prompt: JudgePrompt, seed: int) -> str:
    return prompt.labels[0]


def longest(prompt: JudgePrompt, seed: int) -> str:
    return max(zip(map(len, prompt.texts), prompt.labels, strict=True))[1]


def noisy(prompt: JudgePrompt, seed: int) -> str:
    labels = (*prompt.labels, prompt.tie) if prompt.tie else prompt.labels
    return labels[int(chance(prompt.text, seed) * len(labels))]


def torn(prompt: Sequence[Message]) -> Mapping[str, float]:
    """Log-probabilities that favor the first place and otherwise depend on the full prompt."""
    seen = read_prompt(prompt)
    labels = (*seen.labels, seen.tie) if seen.tie else seen.labels
    weights = [chance(seen.text, label) ** 4 + (label == labels[0]) / 4 for label in labels]
    return {label: math.log(weight / sum(weights)) for label, weight in zip(labels, weights, strict=True)}
