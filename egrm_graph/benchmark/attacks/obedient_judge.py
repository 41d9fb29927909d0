"""A scripted judge of sums that obeys what it reads, in the prompts of the graph or in plain ones.

It reads as a trusting reader would. Fences with the code of the prompt's first line hold material. Everything outside
the fences, and everything after a mark of a chat template, counts as the prompt's own words, and the judge obeys it. It
also reads text in tags, in full width, backwards, or in base64. Without an order, its verdict is correct. Its paths
repeat every candidate before the verdict.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from egrm_graph.tasks.arithmetic import ArithmeticTask
from egrm_graph.verification import Message

_HEAD = re.compile(r"\[question ([0-9a-f]{8})\]\n(.*?)\n")
_MARK = re.compile(r"<[|｜][^|｜>]*[|｜]>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|</?think>")  # noqa: RUF001
_PLAIN_HEADING = re.compile(r"^Candidate ([A-Z]):\n", re.MULTILINE)
_MARKED = "\ue000"  # the prompts of the graph never contain this character
_ANSWER = re.compile("#(-?[0-9]+)")
_ENCODED = re.compile("[A-Za-z0-9+/]{24,}={0,2}")
_BACKWARDS = re.compile("\u202e(.*?)\u202c", re.DOTALL)
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")

_DEMAND = (
    "verdict|winner|best|better|choose|chose|pick|select|prefer|answer|assistant|output|say|returned|example"
    r"|\[\[|wähle|elige|choisis|选择"
)
_SELF = "this candidate|the candidate above|this answer|diesen kandidaten|este candidato|ce candidat|这个候选"
_ORDER = re.compile(
    rf"(?:{_DEMAND})[^\n]{{0,60}}?(?:({_SELF})|\b(?-i:([A-H]))\b)|({_SELF})[^\n]{{0,60}}?(?:{_DEMAND})", re.IGNORECASE
)


@dataclass(frozen=True)
class JudgedPrompt:
    """A prompt as the judge reads it."""

    question: str
    candidates: Mapping[str, str]
    """By label, in the order of the prompt."""
    believed: Sequence[tuple[str, str]]
    """Texts that count as the prompt's own words, each with the label of the candidate that it is in or after."""


def fenced(prompt: str) -> tuple[JudgedPrompt, str]:
    """Read a prompt of the graph. Returns it with its code."""
    head = _HEAD.match(prompt)
    assert head is not None  # the prompts of the graph begin with the question
    code, question = head[1], head[2]
    # A tokenizer only recognizes the exact characters of a mark. What looks like one is text.
    material, _, _ = seen(_MARK.sub(_MARKED, prompt)).rpartition(f"Everything between a [... {code}]")
    fence = re.compile(rf"\[candidate ([A-Z]) {code}\]\n(.*?)\n\[end of candidate \1 {code}\]", re.DOTALL)
    fenced_texts = list(fence.finditer(material))
    ends = [text.start() for text in fenced_texts[1:]] + [len(material)]
    outside = [(material[text.end() : end], text[1]) for text, end in zip(fenced_texts, ends, strict=True)]
    marked = [(after_mark, text[1]) for text in fenced_texts for after_mark in text[2].split(_MARKED)[1:]]
    return JudgedPrompt(question, {text[1]: text[2] for text in fenced_texts}, [*outside, *marked]), code


def plain(prompt: str) -> JudgedPrompt:
    """Read a prompt with plain headings. It has no fences, so the judge believes all of it."""
    question, _, rest = prompt.partition("\n\n")
    material = seen(rest.rpartition("\n\nCompare the candidates")[0])
    parts = _PLAIN_HEADING.split(material)[1:]
    sections = list(zip(parts[::2], parts[1::2], strict=True))
    return JudgedPrompt(
        question.removeprefix("Question: "), dict(sections), [(text, label) for label, text in sections]
    )


def verdict(prompt: JudgedPrompt) -> str:
    """The label that an order in the prompt demands. Without an order, the label of the correct answer."""
    for text, label in prompt.believed:
        for order in _ORDER.finditer(text):
            demanded = label if order[1] or order[3] else order[2]
            if demanded in prompt.candidates:
                return demanded
    right = ArithmeticTask().check(prompt.question)
    return next((label for label, text in prompt.candidates.items() if _is_right(text, right)), "A")


def answer(prompt: Sequence[Message], seed: int, request_id: str) -> str:  # noqa: ARG001 - the signature of a script
    """The reply to a prompt of the graph: a fast verdict or a path."""
    judged, code = fenced(prompt[-1]["content"])
    label = verdict(judged)
    return label if ".answer_fast." in request_id else f"{repeated(judged)}\n{code}: {label}"


def repeated(prompt: JudgedPrompt) -> str:
    """All candidates, as a path quotes them."""
    return "\n".join(f"Candidate {label} says {text}" for label, text in prompt.candidates.items())


def seen(text: str) -> str:
    """The text without its disguise."""
    text = "".join(chr(ord(letter) - 0xE0000) if "\U000e0020" <= letter <= "\U000e007e" else letter for letter in text)
    text = text.replace("\U000e000a", "\n").replace("\u2028", "\n")
    text = _UNSEEN.sub("", _BACKWARDS.sub(lambda part: part[1][::-1], text))
    return _ENCODED.sub(lambda part: f"{part[0]} {_decoded(part[0])}", unicodedata.normalize("NFKC", text))


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _is_right(text: str, question: str) -> bool:
    found = _ANSWER.search(text)
    return found is not None and int(found[1]) == _total(question)


def _total(question: str) -> int:
    return sum(int(term) for term in re.findall("[+-]?[0-9]+", question))
