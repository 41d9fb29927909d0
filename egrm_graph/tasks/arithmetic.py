"""The task `arithmetic`: what the bundled model was trained for, chains of sums and differences of whole numbers.

A question is rewritten in the one form that the model knows. Everything else is refused before the model is asked,
since the model would answer that too, with nonsense. An answer is what follows the last `#` of a reasoning path, or a
fast answer that is a bare whole number. A text that was cut at its maximum length has no answer.
"""

from __future__ import annotations

import re
import unicodedata

from egrm_graph.answers.thinking import spoken
from egrm_graph.errors import InputError
from egrm_graph.tasks.question import QuestionTask

MAX_DIGITS = 2
MAX_TERMS = 8

_MAX_CHARACTERS = 200  # eight terms, their signs and a phrase in front take less
_DASHES = str.maketrans(dict.fromkeys("−–—‐‑‒", "-"))  # noqa: RUF001 - the point is that they look alike
_PHRASE = re.compile(r"(?:what\s+is|what's|how\s+much\s+is|calculate|compute|evaluate|solve)\b\s*:?\s*", re.IGNORECASE)
_CHAIN = re.compile(r"[0-9]+(?:\s*[+-]\s*[0-9]+)+")
_ENDING = re.compile(r"\s*=?\s*[?.]?")
_INTEGER = re.compile(r"-?[0-9]{1,18}")


class ArithmeticTask(QuestionTask):
    """Chains of `+` and `-` over whole numbers. With `first`, only the first line of a text counts."""

    name = "arithmetic"
    prompts = "tiny"

    def __init__(self, *, first: bool = False) -> None:
        self._first = first

    def check(self, question: str) -> str:
        """The chain alone, such as `17+48-9`, out of `What is 17 + 48 - 9?`.

        Raises:
            InputError: it is anything else, too long a chain, or too large a number for the bundled model.
        """
        chain = _chain(question) if isinstance(question, str) else None
        if chain is None:
            raise _refusal(question, "is not a chain of + and - over whole numbers")
        terms = re.split("[+-]", chain)
        if len(terms) > MAX_TERMS:
            raise _refusal(question, f"has {len(terms)} terms")
        if any(len(term) > MAX_DIGITS for term in terms):
            raise _refusal(question, f"has a number of {max(map(len, terms))} digits")
        return chain

    def read_answer(self, text: str, *, complete: bool = True) -> str | None:
        """The whole number after the last `#`, or the text itself if it is a whole number."""
        said = spoken(text)
        if said is None:
            return None
        line, rest, _ = said.text.lstrip().partition("\n") if self._first else (said.text, "", "")
        if not (complete or said.ended or rest):
            return None
        answer = line.rpartition("#")[2].strip()
        return answer if _INTEGER.fullmatch(answer) else None

    def same(self, one: str, other: str) -> bool:
        """Whether both are the same whole number. Anything else equals only itself."""
        if one == other:
            return True
        one, other = one.strip(), other.strip()
        if _INTEGER.fullmatch(one) and _INTEGER.fullmatch(other):
            return int(one) == int(other)
        return one == other


def _chain(question: str) -> str | None:
    if len(question) > _MAX_CHARACTERS:
        return None
    text = unicodedata.normalize("NFKC", question).translate(_DASHES).strip()
    start = phrase.end() if (phrase := _PHRASE.match(text)) else 0
    chain = _CHAIN.match(text, start)
    if chain is None or not _ENDING.fullmatch(text, chain.end()):
        return None
    # The model knows no leading zeros: 007 becomes 7.
    return re.sub("[0-9]+", lambda number: number[0].lstrip("0") or "0", "".join(chain[0].split()))


def _refusal(question: object, problem: str) -> InputError:
    quoted = repr(question)
    quoted = quoted if len(quoted) <= 80 else quoted[:77] + "..."
    return InputError(
        f"{quoted} {problem}. The bundled model can only add and subtract: 2 to {MAX_TERMS} whole numbers of at most "
        f"{MAX_DIGITS} digits, such as 17+48-9. For any other question, use a model of your own: "
        "--engine vllm --base-url http://HOST:8000/v1 --model NAME"
    )
