r"""Normalize answers: remove the markup around them, unify signs, and read numbers as exact fractions.

Markup is markdown, paired quotes, `$...$`, `\text{}`, spacing commands, and outer punctuation. Characters and commands
for the same sign are unified: `≥`, `>=`, and `\geq`; `52₈` and `52_8`. Numbers are digits with thousands in groups of
three, decimals, repeating decimals, exponents up to 2,000, fractions, and mixed numbers. Signs that may have a meaning
are kept: `5!` is not 5, `f'` is not `f`, and `~5` is not 5.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from fractions import Fraction

_MAX_EXPONENT = 2000  # 1e999999999 would take gigabytes as an exact number

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SUBSCRIPT_RUN = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_FRACTION_CHARACTER = re.compile("(?<=[0-9])(?=[¼½¾⅐-⅞])")
_LOOKALIKES = str.maketrans(
    {
        **dict.fromkeys("−–—‐‑‒", "-"),  # noqa: RUF001 - they look alike on purpose
        **dict.fromkeys("·⋅∙", "*"),
        **dict.fromkeys("“”„«»", '"'),
        **dict.fromkeys("‘’", "'"),  # noqa: RUF001
        "×": r"\times ",  # noqa: RUF001
        "÷": "/",
        "⁄": "/",  # noqa: RUF001
        "π": r"\pi ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "≠": r"\ne ",
        "±": r"\pm ",
        "∞": r"\infty ",
        "∈": r"\in ",
        "∪": r"\cup ",  # noqa: RUF001
        "∩": r"\cap ",
        "∅": r"\emptyset ",
        "°": r"^\circ ",
    }
)
_BEFORE_NORMALIZING = str.maketrans({"≠": r"\ne ", "′": "'", "″": '"', "‰": " per mille "})  # noqa: RUF001
_ROOT = re.compile(r"([√∛∜])\s*(?:([0-9a-z]+)|(?=\())")
_ROOTS = {"√": r"\sqrt", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]"}
_TEXT_COMMAND = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mbox|operatorname|boxed)\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
)
_SPACING = re.compile(r"(?<!\\)\\(?:[,;:! ]|quad\b|qquad\b|displaystyle\b)|(?<=\S)~(?=\S)")
_SIZING = re.compile(r"\\(?:left|right|big|Big|bigl|bigr)(?![a-zA-Z])")
_INLINE_MATH = re.compile(r"(?<!\\)\$(?=[^\s$])([^$]*)(?<=[^\s\\])\$(?![0-9])")  # but $5 and $6 are money
_SCIENTIFIC = re.compile(
    r"(?<![\w^/}*).])([0-9][0-9.,]*)\s*(?:\*|\\times|x)\s*10\s*(?:\^|\*\*)\s*\{?\s*([+-]?[0-9]{1,9})\s*\}?"
    r"(?=\s*$|\s*[,;)\]}]|\s+[a-zA-Z%])"
)
_ALIASES = (  # a text that the pattern needs to match, the pattern, and its replacement
    ("frac", re.compile(r"\\[dt]frac(?![a-zA-Z])"), r"\\frac"),
    ("\\le", re.compile(r"\\(?:leq|leqslant)(?![a-zA-Z])"), r"\\le "),
    ("\\ge", re.compile(r"\\(?:geq|geqslant)(?![a-zA-Z])"), r"\\ge "),
    ("=", re.compile(r"<=|=<"), r"\\le "),
    ("=", re.compile(r">="), r"\\ge "),
    ("\\neq", re.compile(r"\\neq(?![a-zA-Z])"), r"\\ne "),
    ("=", re.compile(r"!="), r"\\ne "),
    ("\\lt", re.compile(r"\\lt(?![a-zA-Z])"), "<"),
    ("\\gt", re.compile(r"\\gt(?![a-zA-Z])"), ">"),
    ("\\varnothing", re.compile(r"\\varnothing(?![a-zA-Z])"), r"\\emptyset"),
    ("\\colon", re.compile(r"\\colon(?![a-zA-Z])"), ":"),
    ("\\cdot", re.compile(r"\\cdot(?![a-zA-Z])"), "*"),
    ("\\circ", re.compile(r"\^\s*(?:\\circ(?![a-zA-Z])|\{\s*\\circ\s*\})"), " degree "),
    ("\\", re.compile(r"\\([%$#&{}])"), r"\1"),
    ("10", _SCIENTIFIC, r"\1e\2"),
    (" x ", re.compile(r"(?<!\b0)(?<=[0-9])\s+x\s+(?=[0-9])"), r" \\times "),
    (
        "_",
        re.compile(r"_\s*(?:([0-9](?![0-9])|[a-zA-Z](?![0-9a-zA-Z]))|\{\s*\(?([0-9a-zA-Z]{1,4})\)?\s*\})"),
        r"_{\1\2}",
    ),
    ("base", re.compile(r"(?<=[0-9])\s+base\s+([0-9]{1,2})$"), r"_{\1}"),
    ("U", re.compile(r"(?<=[)\]])\s*U\s*(?=[(\[])"), r" \\cup "),
    (" & ", re.compile(r"(?<=\w) & (?=\w)(?!.*\\end\{)", re.DOTALL), " and "),
)
_PAIRS = (
    *((mark, mark) for mark in ("**", "__", "*", "_", "`", '"', "'", "$$", "$")),
    (r"\(", r"\)"),
    (r"\[", r"\]"),
)
_EXCLAMATION = re.compile(r"[^\W\d_]{2}!+$")
_ENDING = ".,;:?"

_DIGITS = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+"
_NUMBER = re.compile(rf"([+-]?)\s*({_DIGITS}|)(\.[0-9]*)?(?:e([+-]?[0-9]{{1,9}}))?", re.IGNORECASE)
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?: [0-9]{3})+")
_REPEATING = re.compile(
    rf"([+-]?)\s*({_DIGITS}|)\.([0-9]*)(?:\\(?:overline|bar)\s*\{{([0-9]{{1,40}})\}}|\\dot\s*\{{?([0-9])\}}?|\(([0-9]{{1,40}})\))"
)
_FRACTION = re.compile(r"([+-]?)\s*(?:([0-9]+)(?:\s+|(?=\\)))?(?:\\frac)?\s*\{?([^{}/]+?)\}?\s*[/{]\s*([^{}/]+?)\}?")
_SHORT_FRACTION = re.compile(r"\\frac\s*([0-9])\s*([0-9])")


def normalize(text: str) -> str:
    """Remove the markup around and inside a text, and unify its signs. Keeps the case."""
    text = _unwrapped(text if text.isascii() else _in_ascii(text))
    if "$" in text:
        text = _INLINE_MATH.sub(r"\1", text)
    if "\\" in text or "~" in text or "{" in text:
        text = _SPACING.sub(" ", _SIZING.sub("", text.replace(r"\!", "").replace("{,}", ",")))
        text = _TEXT_COMMAND.sub(r" \1 ", text)
    for required, pattern, replacement in _ALIASES:
        if required in text:
            text = pattern.sub(replacement, text)
    return _unwrapped(" ".join(text.split()).replace(" ^", "^"))


def _in_ascii(text: str) -> str:
    """Write digits, signs, and roots in ASCII."""
    text = _SUPERSCRIPT_RUN.sub(lambda run: f"^{{{run[0].translate(_SUPERSCRIPTS)}}}", text)
    text = _SUBSCRIPT_RUN.sub(lambda run: f"_{{{run[0].translate(_SUBSCRIPTS)}}}", text.translate(_BEFORE_NORMALIZING))
    text = unicodedata.normalize("NFKC", _FRACTION_CHARACTER.sub(" ", text)).translate(_LOOKALIKES)
    return _ROOT.sub(_root, text)


def _root(root: re.Match[str]) -> str:
    return _ROOTS[root[1]] + (f"{{{root[2]}}}" if root[2] else "")


def _unwrapped(text: str) -> str:
    """Remove the paired marks around a text and the punctuation after it."""
    while True:
        before = text
        text = text.strip()
        if not text.endswith(".."):
            text = text.rstrip(_ENDING)
        if text.endswith("!") and _EXCLAMATION.search(text):  # but 5! and n! are factorials
            text = text.rstrip("!")
        if not text[:1].isalnum():
            text = _without_pair(text)
        if text == before:
            without_unpaired = text.lstrip("*`")
            return text if without_unpaired == text else _unwrapped(without_unpaired)


def _without_pair(text: str) -> str:
    for opening, closing in _PAIRS:
        inside = text[len(opening) : -len(closing)]
        if inside and text.startswith(opening) and text.endswith(closing) and opening not in inside:
            return inside
    return text


def parse_number(text: str) -> Fraction | None:
    """Return the number that a normalized text denotes. None if it is not a number."""
    text = text.strip()
    if (decimal := _decimal(text)) is not None:
        return decimal
    if " " in text and _GROUPED.fullmatch(text):
        return Fraction(text.replace(" ", ""))
    if "." in text and (repeating := _REPEATING.fullmatch(text)):
        return _repeating(repeating)
    return _fraction(_SHORT_FRACTION.sub(r"\\frac{\1}{\2}", text)) if "/" in text or "frac" in text else None


def _decimal(text: str) -> Fraction | None:
    match = _NUMBER.fullmatch(text)
    if match is None or not (match[2] or (match[3] or "").strip(".")):
        return None
    sign, integer, decimals, exponent = match.groups()
    if exponent and abs(int(exponent)) > _MAX_EXPONENT:
        return None
    return Fraction(Decimal(f"{sign}{integer.replace(',', '') or '0'}{decimals or ''}e{exponent or 0}"))


def _repeating(match: re.Match[str]) -> Fraction:
    r"""Return the value of a repeating decimal: `0.1\overline{6}` is 1/6."""
    sign, integer, fixed, *repeated = match.groups()
    cycle = next(digits for digits in repeated if digits)
    start = int((integer.replace(",", "") or "0") + fixed)
    size = (start + Fraction(int(cycle), 10 ** len(cycle) - 1)) / Fraction(10) ** len(fixed)
    return -size if sign == "-" else size


def _fraction(text: str) -> Fraction | None:
    match = _FRACTION.fullmatch(text)
    if match is None or ("\\" in text) != ("}{" in text.replace(" ", "")):
        return None
    sign, integer, above, below = match.groups()
    top, bottom = _decimal(above.strip()), _decimal(below.strip())
    if top is None or not bottom:
        return None
    if integer and not (0 <= top < bottom):
        return None  # 3 5/2 is not a mixed number
    size = int(integer or 0) + top / bottom
    return -size if sign == "-" else size
