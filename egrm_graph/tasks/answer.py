r"""The task `answer`: any question, whose answer is read out of what a model prints.

Decides what counts as an answer. A text is read in this order, and the first that is found decides:

1. What a model thought is not looked at: `<think>` and its like, and all channels but the final one. A thought that was
   never closed means that there is no answer yet.
2. A *declared* answer: `\boxed{X}`, `Answer: X` (also as a heading over X), `#### X`, `<answer>X</answer>`,
   `{"answer": X}`. Of several the last one counts, whatever its form; an empty one, as in "put it in \boxed{}", is
   none.
3. "the answer is X", the last one, up to the end of its sentence.
4. A last line that is bold as a whole.
5. A text that is nothing but a short answer: one line of at most five words that does not read like a sentence.

Otherwise there is none; never is one guessed from the last number in prose. A refusal is no answer, a placeholder such
as `[your answer]` is none, and neither is what is longer than 300 characters. In a text that was cut by its length, an
answer that touches the cut does not count, and does not bring back one that was declared before it.

Only the last 20,000 characters are searched, so that the time is bounded.
"""

from __future__ import annotations

import re
import unicodedata

from egrm_graph.errors import InputError
from egrm_graph.tasks import equivalence
from egrm_graph.tasks.declared import FENCE, MAX_ANSWER, Found, declared, line_from

_SEARCHED = 20_000
_MAX_SENTENCE = 120
_MAX_WORDS = 5

_THOUGHTS = ("think", "thinking", "thought", "reasoning")
_THOUGHT_STARTS = (*(f"<{name}>" for name in _THOUGHTS), "[THINK]", "◁think▷")
_THOUGHT_ENDS = (*(f"</{name}>" for name in _THOUGHTS), "[/THINK]", "◁/think▷")
_FINAL_CHANNEL = "<|channel|>final<|message|>"
_END_TOKENS = re.compile(r"(?:\s*(?:<[|｜][^<>|｜\s]{1,40}[|｜]>|</s>|<end_of_turn>|\[/?INST\]))+\s*\Z")  # noqa: RUF001

_SAID = re.compile(
    r"\b(?:answer|(?:correct|right) (?:option|choice))(?: to [^\n.:]{1,80}?)?"
    r" (?:is|would be|must be|should be) ?:?\s{0,3}"
    r"(?:(?:therefore|thus|simply|just|clearly|indeed|then),? )?",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|\n|,? (?:because|since|so that|which|as we)\b")
_NOT_SAID = re.compile(
    r"(?:not|that|clear|correct|wrong|incorrect|right|given|found|obtained|as follows)\b", re.IGNORECASE
)
_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*[.!]?|__([^_\n]{1,300})__[.!]?")

_HEADING = re.compile(r"(?:final |the )?answer\b|step\b|conclusion\b|explanation\b|solution\b|note\b", re.IGNORECASE)

_ABBREVIATION = re.compile(r"\b[A-Za-z]\.[A-Za-z]\.\Z")
_PLACEHOLDER = re.compile(r"[\[<{(][^\n]{0,40}\banswer\b[^\n]{0,40}[\]>})]|\$?answer\$?", re.IGNORECASE)
_REFUSAL = re.compile(
    r"(?:i'?m |i am )?(?:sorry|afraid|unable|not able|not sure)\b"
    r"|(?:unfortunately,? |however,? )?i (?:can(?:not|'t| not)|could(?: not|n't)|do(?: not|n't) (?:know|have)|won't"
    r"|will not|would need|need more|am (?:unable|not able|not sure))\b"
    r"|as an ai\b|(?:unknown|n/?a|no answer|not enough information|insufficient information)\W*\Z",
    re.IGNORECASE,
)
_SENTENCE_START = frozenset(
    (  # noqa: SIM905 - a word a line would hide what it is
        "to first we let let's lets i i'm i'll so since because if step okay ok sure here here's hmm well now given "
        "there this it it's sorry unfortunately certainly in what how"
    ).split()
)
_SENTENCE_WORDS = frozenset(
    "is are was were has have need needs should would can cannot will must add".split()  # noqa: SIM905
)


class Answer:
    """Any question with a short answer."""

    @property
    def name(self) -> str:
        return "answer"

    @property
    def prompts(self) -> str:
        return "default"

    def check(self, question: str) -> str:
        """The question without the space around it.

        Raises:
            InputError: it is empty, or no text.
        """
        if not isinstance(question, str):
            raise InputError(f"the question has to be a text, not {type(question).__name__}")
        if not question.strip():
            raise InputError("the question is empty")
        return question.strip()

    def read(self, text: str, *, complete: bool = True) -> str | None:
        """The answer in a model's text; see the module for what counts as one."""
        said = _said_aloud(text)
        if said is None:
            return None
        tail = said[-_SEARCHED:]
        found = declared(tail) or _stated(tail) or _bold(tail) or (_short(tail) if tail == said else None)
        if found is None or not (complete or found.closed):
            return None
        return _worth(found.text)

    def same(self, one: str, other: str) -> bool:
        """Whether two answers are equivalent; see `equivalence`."""
        return equivalence.same(one, other)


def _said_aloud(text: str) -> str | None:
    """The text without thoughts, channels and end tokens; None where it was still thinking."""
    if "<|channel|>" in text:
        if _FINAL_CHANNEL not in text:
            return None
        text = text.rpartition(_FINAL_CHANNEL)[2]
    elif "assistantfinal" in text:  # the same with the special tokens left out
        text = text.rpartition("assistantfinal")[2]
    elif re.match(r"analysis(?=[A-Z])", text):
        return None
    for end in _THOUGHT_ENDS:
        text = text.rpartition(end)[2]
    if any(start in text for start in _THOUGHT_STARTS):
        return None
    # Searched from near the end only: a pattern that ends in \Z would be tried from every place of a long text.
    cut = max(0, len(text) - 500)
    return text[:cut] + _END_TOKENS.sub("\n", text[cut:])


def _stated(text: str) -> Found | None:
    said = list(_SAID.finditer(text))
    if not said:
        return None
    start = said[-1].end()
    line = line_from(text, start)
    ending = _SENTENCE_END.search(line.text)
    value = line.text[: ending.start()] if ending else line.text
    if _NOT_SAID.match(value) or len(value) > _MAX_SENTENCE:
        return None
    closed = line.closed or (ending is not None and ending.end() < len(line.text))
    return Found(start, value, closed)


def _bold(text: str) -> Found | None:
    last = text.rstrip().rpartition("\n")[2].strip()
    bold = _BOLD.fullmatch(last)
    value = (bold[1] or bold[2]) if bold else ""
    if not value or value.endswith(":") or _reads_like_a_sentence(value) or _HEADING.match(value):
        return None
    return Found(0, value, closed=text.rstrip(" ").endswith("\n"))


def _short(text: str) -> Found | None:
    lines = [line for line in text.splitlines() if line.strip() and not FENCE.fullmatch(line)]
    if len(lines) != 1 or len(lines[0]) > _MAX_SENTENCE or _reads_like_a_sentence(lines[0]):
        return None
    return Found(0, lines[0], closed=text.endswith("\n"))


def _reads_like_a_sentence(text: str) -> bool:
    words = text.lower().replace("’", "'").split()  # noqa: RUF001
    bare = [word.strip("*_,.!?;:\"'`") for word in words]
    return (
        len([word for word in bare if word[:1].isalpha()]) > _MAX_WORDS
        or (len(bare) > 3 and text.rstrip().endswith("."))
        or text.rstrip().endswith((":", ",", "...", "…", "。", "?", ";"))
        or bare[0] in _SENTENCE_START
        or not _SENTENCE_WORDS.isdisjoint(bare)
    )


def _worth(text: str) -> str | None:
    """The answer without the markup around it, unless it says nothing."""
    if len(text) > 2 * MAX_ANSWER:
        return None
    text = _without_markup(text)
    if said := _SAID.search(text):
        text = _without_markup(text[said.end() :]) if said.start() < _MAX_WORDS else text
    if len(text) > MAX_ANSWER or _REFUSAL.match(text.replace("’", "'")) or _PLACEHOLDER.fullmatch(text):  # noqa: RUF001
        return None
    says_something = any(unicodedata.category(character)[0] in "LNS" for character in text)
    return text if says_something else None


def _without_markup(text: str) -> str:
    while True:
        before = text
        text = text.strip().strip("*`").strip()
        if text.endswith(".") and not text.endswith("..") and not _ABBREVIATION.search(text):
            text = text[:-1]
        for opening, closing in (
            ("$$", "$$"),
            ("$", "$"),
            ("\\(", "\\)"),
            ("\\[", "\\]"),
            ('"', '"'),
            ("\\text{", "}"),
        ):
            inside = text[len(opening) : -len(closing)]
            if (
                text.startswith(opening)
                and text.endswith(closing)
                and inside
                and not set(opening + closing) & set(inside)
            ):
                text = inside
        if text == before:
            return text
