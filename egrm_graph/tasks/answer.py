r"""The task `answer`: any question with a short answer, read from what a model writes.

A text is read in this order, and the first match decides:

1. Thinking is never read; see `thinking`. If a thought is never closed, the text has no answer yet.
2. A *declared* answer: `\boxed{X}`, `Answer: X` (also as a heading above X, and in other languages), `#### X`,
   `<answer>X</answer>`, `{"answer": X}`. The last one counts, in whatever form. An empty one, as in "put it in
   \boxed{}", does not count.
3. The last "the answer is X", up to the end of its sentence.
4. A last line that is all bold.
5. A text that is nothing but a short answer: one line of at most five words that does not read like a sentence.

Otherwise the text has no answer; the last number in prose never counts. Neither does a refusal, a placeholder such as
`[your answer]`, or anything longer than 300 characters.

A text that was cut at its maximum length has no answer: whatever it declared may have been a first guess.

A model that continues its prompt writes on after its own answer, with more questions and their answers. So its first
declared answer counts, or a short first paragraph. The rest is not read, whether it was cut or not.

Only 20,000 characters are searched, to bound the time: the last ones or, if the first answer counts, the first ones.
"""

from __future__ import annotations

import re
import unicodedata

from egrm_graph.answers import equivalence
from egrm_graph.answers.answer_labels import ANSWER, STATED
from egrm_graph.answers.declared_answers import FENCE, MAX_ANSWER, Found, declared, first_declared, line_from
from egrm_graph.answers.thinking import spoken
from egrm_graph.errors import InputError
from egrm_graph.tasks.question import QuestionTask

_SEARCHED = 20_000
_MAX_SENTENCE = 120
_MAX_WORDS = 5

_SAID = re.compile(
    r"\b(?:answer|(?:correct|right) (?:option|choice))(?: to [^\n.:]{1,80}?)?"
    r" (?:is|would be|must be|should be) ?:?\s{0,3}"
    rf"(?:(?:therefore|thus|simply|just|clearly|indeed|then),? )?|(?:{STATED})",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"[.!?।](?=\s|$)|[。！？]|\n|,? (?:because|since|so that|which|as we)\b")  # noqa: RUF001
_NOT_SAID = re.compile(
    r"(?:not|that|clear|correct|wrong|incorrect|right|given|found|obtained|as follows"
    r"|nicht|richtig|falsch|klar|correct[ao]|incorrect[aoe]|pas|non|não|niet|nie|не)\b"
    r"|不|正确|正確|错|錯|对的|正しい|틀|맞",
    re.IGNORECASE,
)
_POLITE = re.compile(r" ?(?:です|である|となります|になります|입니다|이다|예요|이에요)\s*\Z")
_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*[.!]?|__([^_\n]{1,300})__[.!]?")

_HEADING = re.compile(r"(?:final |the )?answer\b|step\b|conclusion\b|explanation\b|solution\b|note\b", re.IGNORECASE)

_ABBREVIATION = re.compile(r"\b[A-Za-z]\.[A-Za-z]\.\Z")
_PLACEHOLDER = re.compile(rf"[\[<{{(][^\n]{{0,40}}(?:{ANSWER})(?!\w)[^\n]{{0,40}}[\]>}})]|\$?answer\$?", re.IGNORECASE)
_REFUSAL = re.compile(
    r"(?:i'?m |i am )?(?:sorry|afraid|unable|not able|not sure)\b"
    r"|(?:unfortunately,? |however,? )?i (?:can(?:not|'t| not)|could(?: not|n't)|do(?: not|n't) (?:know|have)|won't"
    r"|will not|would need|need more|am (?:unable|not able|not sure))\b"
    r"|as an ai\b|(?:unknown|n/?a|no answer|not enough information|insufficient information)\W*\Z"
    r"|ich (?:weiß|kann|habe)\b|(?:lo siento|no (?:lo )?(?:sé|puedo)|je ne|désolé)\b"
    r"|(?:non (?:lo )?(?:so|posso)|não (?:sei|posso))\b"
    r"|(?:ik weet|nie wiem|не знаю|не могу)\b|(?:我)?(?:不知道|无法|不能)|(?:わか|分か)りません|모르|알 수 없",
    re.IGNORECASE,
)
_SENTENCE_START = frozenset(
    (  # noqa: SIM905 - one word per line would hide what it is
        "to first we let let's lets i i'm i'll so since because if step okay ok sure here here's hmm well now given "
        "there this it it's sorry unfortunately certainly in what how"
    ).split()
)
_SENTENCE_WORDS = frozenset(
    "is are was were has have need needs should would can cannot will must add".split()  # noqa: SIM905
)


class AnswerTask(QuestionTask):
    """Any question with a short answer. With `first`, the first answer in a text counts, not the last."""

    name = "answer"

    def __init__(self, *, first: bool = False) -> None:
        self._first = first

    def check(self, question: str) -> str:
        """The question without surrounding whitespace.

        Raises:
            InputError: it is empty or not text.
        """
        if not isinstance(question, str):
            raise InputError(f"the question has to be text, not {type(question).__name__}")
        if not question.strip():
            raise InputError("the question is empty")
        return question.strip()

    def read_answer(self, text: str, *, complete: bool = True) -> str | None:
        """The answer in a model's text; see the module for what counts as one."""
        said = spoken(text)
        if said is None:
            return None
        complete = complete or said.ended
        found = _own(said.text, complete=complete) if self._first else _last(said.text) if complete else None
        return None if found is None else _worth(found.text)

    def same(self, one: str, other: str) -> bool:
        """Whether two answers are equivalent; see `equivalence`."""
        return equivalence.same(one, other)


def _last(text: str) -> Found | None:
    tail = text[-_SEARCHED:]
    return declared(tail) or _stated(tail) or _bold(tail) or (_short(tail) if tail == text else None)


def _own(text: str, *, complete: bool) -> Found | None:
    """The first answer, if it is complete even though the text may not be."""
    head = text.lstrip()[:_SEARCHED]
    paragraph, gap, _ = head.partition("\n\n")
    answers = None if "=" in paragraph or _HEADING.match(paragraph) or declared(paragraph) else _short(paragraph)
    if answers is not None and (gap or complete):
        return answers
    found = first_declared(head)
    if found is None:
        return _stated(head, first=True) if complete else None
    return found if complete or found.closed else None


def _stated(text: str, *, first: bool = False) -> Found | None:
    said = list(_SAID.finditer(text))
    if not said:
        return None
    start = said[0 if first else -1].end()
    line = line_from(text, start)
    ending = _SENTENCE_END.search(line.text)
    value = line.text[: ending.start()] if ending else line.text
    if _NOT_SAID.match(value) or len(value) > _MAX_SENTENCE:
        return None
    return line._replace(text=_POLITE.sub("", value))


def _bold(text: str) -> Found | None:
    last = text.rstrip().rpartition("\n")[2].strip()
    bold = _BOLD.fullmatch(last)
    value = (bold[1] or bold[2]) if bold else ""
    if not value or value.endswith(":") or _reads_like_a_sentence(value) or _HEADING.match(value):
        return None
    return Found(0, value, len(text), closed=True)


def _short(text: str) -> Found | None:
    lines = [line for line in text.splitlines() if line.strip() and not FENCE.fullmatch(line)]
    if len(lines) != 1 or len(lines[0]) > _MAX_SENTENCE or _reads_like_a_sentence(lines[0]):
        return None
    return Found(0, lines[0], len(text), closed=True)


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
    """The answer without the markup around it; None if nothing is left."""
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
        text = text.rstrip("。।")
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
