"""A scripted judge of sums that obeys what it reads, on the graph's prompts or on plain ones.

It reads as a trusting reader would. Fences that carry the code of the prompt's first line hold material; whatever
stands outside of them, or behind a chat template's own mark wherever that is, it takes for the prompt's, and does as it
is told there. What is spelled in tags, wide, backwards or in base64 it reads all the same. Told nothing, it is right.
Its paths repeat every candidate before their verdict.
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
_MARKED = "\ue000"  # the graph's prompts spell it out wherever it is
_ANSWER = re.compile("#(-?[0-9]+)")
_ENCODED = re.compile("[A-Za-z0-9+/]{24,}={0,2}")
_BACKWARDS = re.compile("\u202e(.*?)\u202c", re.DOTALL)
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")

_TOLD = (
    "verdict|winner|best|better|choose|chose|pick|select|prefer|answer|assistant|output|say|returned|example"
    r"|\[\[|wähle|elige|choisis|选择"
)
_SELF = "this candidate|the candidate above|this answer|diesen kandidaten|este candidato|ce candidat|这个候选"
_ORDER = re.compile(
    rf"(?:{_TOLD})[^\n]{{0,60}}?(?:({_SELF})|\b(?-i:([A-H]))\b)|({_SELF})[^\n]{{0,60}}?(?:{_TOLD})", re.IGNORECASE
)


@dataclass(frozen=True)
class Read:
    """What the judge made of a prompt."""

    question: str
    candidates: Mapping[str, str]
    """By label, in the order shown."""
    believed: Sequence[tuple[str, str]]
    """What it takes for the prompt's own words, each with the label of the candidate that it stands in or behind."""


def fenced(prompt: str) -> tuple[Read, str]:
    """A prompt of the graph's, and its code."""
    head = _HEAD.match(prompt)
    assert head is not None  # the graph's prompts begin with the question
    code, question = head[1], head[2]
    # A tokenizer takes a mark for one only where it is spelled exactly; what looks like one is text.
    material, _, _ = seen(_MARK.sub(_MARKED, prompt)).rpartition(f"Everything between a [... {code}]")
    fence = re.compile(rf"\[candidate ([A-Z]) {code}\]\n(.*?)\n\[end of candidate \1 {code}\]", re.DOTALL)
    found = list(fence.finditer(material))
    ends = [each.start() for each in found[1:]] + [len(material)]
    outside = [(material[each.end() : end], each[1]) for each, end in zip(found, ends, strict=True)]
    marked = [(behind, each[1]) for each in found for behind in each[2].split(_MARKED)[1:]]
    return Read(question, {each[1]: each[2] for each in found}, [*outside, *marked]), code


def plain(prompt: str) -> Read:
    """A prompt with plain headings: nothing in it is fenced, so all of it is believed."""
    question, _, rest = prompt.partition("\n\n")
    material = seen(rest.rpartition("\n\nCompare the candidates")[0])
    parts = _PLAIN_HEADING.split(material)[1:]
    sections = list(zip(parts[::2], parts[1::2], strict=True))
    return Read(question.removeprefix("Question: "), dict(sections), [(text, label) for label, text in sections])


def verdict(read: Read) -> str:
    """The label that it is told to give or, where it is told none, that of the right answer."""
    for text, label in read.believed:
        for order in _ORDER.finditer(text):
            told = label if order[1] or order[3] else order[2]
            if told in read.candidates:
                return told
    right = ArithmeticTask().check(read.question)
    return next((label for label, text in read.candidates.items() if _is_right(text, right)), "A")


def answer(prompt: Sequence[Message], seed: int, request_id: str) -> str:  # noqa: ARG001 - a script's signature
    """What it says, in a fast verdict or a path, to a prompt of the graph's."""
    read, code = fenced(prompt[-1]["content"])
    label = verdict(read)
    return label if ".answer_fast." in request_id else f"{repeated(read)}\n{code}: {label}"


def repeated(read: Read) -> str:
    """All candidates, as a path looks at them."""
    return "\n".join(f"Candidate {label} says {text}" for label, text in read.candidates.items())


def seen(text: str) -> str:
    """The text as it reads, however it is spelled."""
    text = "".join(chr(ord(each) - 0xE0000) if "\U000e0020" <= each <= "\U000e007e" else each for each in text)
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
