r"""Answers in one spelling: without the markup around them, and numbers as exact fractions.

Decides: what is dropped as markup (markdown, quotes, `$...$`, `\text{}`, spacing commands, outer punctuation), and what
is a number: digits with thousands in groups of three, decimals, exponents up to 2,000, fractions and mixed numbers.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from fractions import Fraction

_MAX_EXPONENT = 2000  # 1e999999999 would take gigabytes as an exact number

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")
_FRACTION_CHARACTER = re.compile("(?<=[0-9])(?=[¼½¾⅐-⅞])")
_LOOKALIKES = str.maketrans(
    {
        **dict.fromkeys("−–—‐‑‒", "-"),  # noqa: RUF001 - the point is that they look alike
        **dict.fromkeys("×·⋅∙", "*"),  # noqa: RUF001
        **dict.fromkeys("“”„«»", '"'),
        **dict.fromkeys("‘’", "'"),  # noqa: RUF001
        "÷": "/",
        "⁄": "/",  # noqa: RUF001
        "π": r"\pi ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "±": r"\pm ",
        "∞": r"\infty ",
        "°": r"^\circ ",
    }
)
_ROOT = re.compile(r"√\s*(?:([0-9a-z]+)|(?=\())")
_TEXT_COMMAND = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mbox|operatorname|boxed)\s*\{([^{}]*)\}")
_SPACING = re.compile(r"(?<!\\)\\(?:[,;:! ]|quad\b|qquad\b|displaystyle\b)|~")
_SIZING = re.compile(r"\\(?:left|right|big|Big|bigl|bigr)(?![a-zA-Z])")
_ALIASES = (
    (re.compile(r"\\[dt]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\leq(?![a-zA-Z])"), r"\\le"),
    (re.compile(r"\\geq(?![a-zA-Z])"), r"\\ge"),
    (re.compile(r"\\(?:cdot|times)(?![a-zA-Z])"), "*"),
    (re.compile(r"\^\s*(?:\\circ(?![a-zA-Z])|\{\s*\\circ\s*\})"), " degree"),
    (re.compile(r"\\([%$#&{}])"), r"\1"),
    (re.compile(r"\s*\*\s*10\s*\^\s*\{?\s*([+-]?[0-9]{1,9})\s*\}?$"), r"e\1"),
)
_OUTER = " \t\r\n\"'`*_"
_ENDING = ".,;:!?"

_DIGITS = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+"
_NUMBER = re.compile(rf"([+-]?)\s*({_DIGITS}|)(\.[0-9]*)?(?:e([+-]?[0-9]{{1,9}}))?", re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?: [0-9]{3})+")
_FRACTION = re.compile(r"([+-]?)\s*(?:([0-9]+)(?:\s+|(?=\\)))?(?:\\frac)?\s*\{?([^{}/]+?)\}?\s*[/{]\s*([^{}/]+?)\}?")
_SHORT_FRACTION = re.compile(r"\\frac\s*([0-9])\s*([0-9])")


def tidied(text: str) -> str:
    """The text without the markup around and within it; case stays."""
    text = _SUPERSCRIPT_RUN.sub(lambda run: f"^{{{run[0].translate(_SUPERSCRIPTS)}}}", text)
    text = unicodedata.normalize("NFKC", _FRACTION_CHARACTER.sub(" ", text)).translate(_LOOKALIKES)
    text = _unwrapped(_ROOT.sub(lambda root: rf"\sqrt{{{root[1]}}}" if root[1] else r"\sqrt", text))
    text = _TEXT_COMMAND.sub(r" \1 ", _SPACING.sub(" ", _SIZING.sub("", text.replace(r"\!", "").replace("{,}", ","))))
    for pattern, spelled in _ALIASES:
        text = pattern.sub(spelled, text)
    return _unwrapped(" ".join(text.split()))


def _unwrapped(text: str) -> str:
    """Without what stands in pairs around the whole, or after it."""
    while True:
        before = text
        text = text.strip(_OUTER).rstrip(_ENDING)
        for opening, closing in (("$", "$"), (r"\(", r"\)"), (r"\[", r"\]")):
            if len(text) > len(opening + closing) and text.startswith(opening) and text.endswith(closing):
                text = text[len(opening) : -len(closing)]
        if text == before:
            return text


def number(text: str) -> Fraction | None:
    """The number that a tidied text spells; None where it is anything else."""
    text = text.strip()
    if (plain := _decimal(text)) is not None:
        return plain
    if _GROUPED.fullmatch(text):
        return Fraction(text.replace(" ", ""))
    return _fraction(_SHORT_FRACTION.sub(r"\\frac{\1}{\2}", text))


def _decimal(text: str) -> Fraction | None:
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[2] or (match[3] or "").strip(".")):
        return None
    sign, whole, decimals, exponent = match.groups()
    if exponent and abs(int(exponent)) > _MAX_EXPONENT:
        return None
    return Fraction(Decimal(f"{sign}{whole.replace(',', '') or '0'}{decimals or ''}e{exponent or 0}"))


def _fraction(text: str) -> Fraction | None:
    match = _FRACTION.fullmatch(text)
    if match is None or ("\\" in text) != ("}{" in text.replace(" ", "")):
        return None
    sign, whole, above, below = match.groups()
    top, bottom = _decimal(above.strip()), _decimal(below.strip())
    if top is None or not bottom:
        return None
    if whole and not (0 <= top < bottom):
        return None  # 3 5/2 is no mixed number
    size = int(whole or 0) + top / bottom
    return -size if sign == "-" else size
