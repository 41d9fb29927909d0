r"""The value of a mathematical expression, in LaTeX or plain spelling, as something that can be compared with `==`.

Decides: an expression is what it evaluates to. It is parsed by latex2sympy (math-verify's own parser) and evaluated to
40 digits, with a number that follows from its name in the place of each variable, in three different rounds; equal
values mean equal expressions: `(x+1)^2` is `x^2+2x+1`. Nothing is ever simplified, expanded or solved, since there is
no bound on the time of that.
Differs from math-verify: no tolerance (0.333 is not 1/3), so that being the same stays transitive.

The text is untrusted. What could take long is refused beforehand: long texts, deep nesting, towers of powers, large
exponents, and every command that is not listed here.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Hashable
from fractions import Fraction
from functools import lru_cache
from typing import Any

_MAX_CHARACTERS = 80
_MAX_DEPTH = 3  # the parser's time grows steeply with nesting, and so it does with these:
_AT_MOST = (("/", 3), ("^", 6), ("{", 12), ("(", 6), (r"\frac", 4), (r"\sqrt", 4))
_MAX_FUNCTIONS = 4
_MAX_BITS = 8000
_MAX_SIZE = 10**80  # larger, if not exact, is the reciprocal of what rounding left of a zero
_MAX_EXPONENT = 1000  # all exponents multiplied
_MAX_EXPONENT_OF_TRIGONOMETRY = 20  # the sine of a huge number needs all of its digits
_MAX_EXPONENT_CHARACTERS = 16

_TRIGONOMETRY = ("sin", "cos", "tan", "sec", "csc", "cot")
_FUNCTIONS = (*_TRIGONOMETRY, "arcsin", "arccos", "arctan", "ln", "log", "sqrt")
_GREEK = ("alpha", "beta", "gamma", "delta", "theta", "lambda", "mu", "omega", "phi", "pi", "rho", "sigma", "tau")
_COMMANDS = frozenset((*_FUNCTIONS, *_GREEK, "frac", "cdot", "times", "div"))
_PLAIN_NAMES = re.compile(rf"(?<![\\a-zA-Z])({'|'.join((*_FUNCTIONS, 'pi', 'theta'))})(?![a-zA-Z])")
_CHARACTERS = re.compile(r"[0-9a-zA-Z+\-*/^_(){}|.\s\\]*")
_WORD = re.compile(r"\\?[a-zA-Z]+")
_ROUNDS = 3
_NOISE = 1e-30  # what rounding leaves of a part that is really zero

# The parser keeps its tables in class attributes that every parse writes to. A fork waits for the parse that is under
# way, so that a child never finds half of a table, or half of an import.
_parser_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_parser_lock.acquire, after_in_parent=_parser_lock.release, after_in_child=_parser_lock.release
    )


def value(text: str) -> Hashable | None:
    """What the expression evaluates to; None where the text is no expression that can be evaluated safely."""
    latex = _latex(text)
    return None if latex is None else _evaluated(latex)


def looks_like_mathematics(text: str) -> bool:
    """Whether `value` would try; cheap."""
    return _latex(text) is not None


def _latex(text: str) -> str | None:
    """The expression in LaTeX, if it is made of known parts and bounded in every way that costs time."""
    if len(text) > _MAX_CHARACTERS or not _CHARACTERS.fullmatch(text) or not re.search(r"[0-9+\-*/^|\\]", text):
        return None
    text = _PLAIN_NAMES.sub(r"\\\1", text).replace("**", "^")
    text = re.sub(r"\\(frac|sqrt)\s*([0-9])", r"\\\1{\2}", text)
    text = re.sub(r"(\\frac\{[0-9]\})\s*([0-9])", r"\1{\2}", text)
    text = re.sub(r"\^\s*([0-9]{2,})", r"^{\1}", text)
    text = _braced(text).replace("*", r"\cdot ")
    return text if _known_words(text) and _short_chains(text) and _shallow(text) and _small_exponents(text) else None


def _braced(text: str) -> str:
    r"""`\sqrt(x)` and `x^(2n)` with braces for their brackets."""
    for opening in re.finditer(r"(?:\\sqrt|\^)\s*\(", text):
        start = opening.end() - 1
        end = _closing(text, start)
        if end is not None:
            text = f"{text[:start]}{{{text[start + 1 : end]}}}{text[end + 1 :]}"
    return text


def _closing(text: str, start: int) -> int | None:
    """Where the bracket that opens at `start` closes."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] in "({") - (text[i] in ")}")
        if depth == 0:
            return i
    return None


def _known_words(text: str) -> bool:
    words = _WORD.findall(text)
    # Two letters side by side may be a product; three are a word of some language.
    return all(word[1:] in _COMMANDS if word[0] == "\\" else len(word) <= 2 for word in words) and not re.search(
        r"\\(?![a-zA-Z])", text
    )


def _short_chains(text: str) -> bool:
    functions = sum(text.count(f"\\{name}") for name in _FUNCTIONS)
    return (
        functions <= _MAX_FUNCTIONS
        and all(text.count(part) <= limit for part, limit in _AT_MOST)
        and not re.search(r"[+\-*/][\s+\-*/]*[+\-*/]\s*[+\-*/]", text)  # 1---1
        and len(re.findall(r"[a-zA-Z]_(?:[0-9a-zA-Z](?!_)|\{[0-9a-zA-Z]{1,4}\}(?!_))", text)) == text.count("_")
    )


def _shallow(text: str) -> bool:
    depth = deepest = 0
    for character in text:
        depth += (character in "({") - (character in ")}")
        deepest = max(deepest, depth)
        if depth < 0:
            return False
    return depth == 0 and deepest <= _MAX_DEPTH and text.count("|") in (0, 2)


def _small_exponents(text: str) -> bool:
    total = 1
    for caret in re.finditer(r"\^\s*", text):
        start = caret.end()
        end = _closing(text, start) if text[start : start + 1] == "{" else start
        exponent = text[start : end + 1] if end is not None else "^"
        if "^" in exponent or len(exponent) > _MAX_EXPONENT_CHARACTERS:
            return False
        for digits in re.findall("[0-9]+", exponent):
            total *= max(1, int(digits))
    trigonometric = any(f"\\{name}" in text for name in _TRIGONOMETRY)
    return total <= (_MAX_EXPONENT_OF_TRIGONOMETRY if trigonometric else _MAX_EXPONENT)


@lru_cache(maxsize=1024)
def _evaluated(latex: str) -> Hashable | None:
    # As fractions, decimals are exact.
    exact = re.sub(r"([0-9]*)\.([0-9]+)", lambda m: rf"\frac{{{m[1]}{m[2]}}}{{1{'0' * len(m[2])}}}", latex)
    try:
        with _parser_lock:
            from latex2sympy2_extended import latex2sympy

            expression: Any = latex2sympy(exact, normalization_config=None)
            expression = expression.doit()  # the parser leaves 1-1 as it stands
            rounds = tuple(_at(expression, i) for i in range(_ROUNDS))
    except Exception:  # what a parser makes of untrusted text has no list; no value is the answer to all of it
        return None
    if any(one is None for one in rounds):
        return None
    return rounds[0] if len(set(rounds)) == 1 else rounds


def _at(expression: Any, i: int) -> Hashable | None:
    """The expression's value in the i-th round."""
    import sympy

    if expression.is_Rational:
        exact = Fraction(int(expression.p), int(expression.q))
        return exact if max(abs(exact.numerator), exact.denominator).bit_length() <= _MAX_BITS else None
    points = {symbol: sympy.I if symbol.name == "i" else _point(symbol.name, i) for symbol in expression.free_symbols}
    real, imaginary = expression.evalf(40, subs=points, maxn=200).as_real_imag()
    if not all(part.is_Number and part.is_finite and abs(part) < _MAX_SIZE for part in (real, imaginary)):
        return None
    if abs(imaginary) <= abs(real) * _NOISE:
        return _snapped(real)
    return (0 if abs(real) <= abs(imaginary) * _NOISE else _snapped(real)), _snapped(imaginary)


def _point(name: str, i: int) -> Any:
    """A fraction of either sign, 1/2 to 3/2 in size, that follows from the name and the round."""
    import sympy

    digest = hashlib.sha256(f"{i} {name}".encode()).digest()
    size = sympy.Rational(500_000 + int.from_bytes(digest[:4], "big") % 1_000_003, 1_000_003)
    return size if digest[4] % 2 else -size


def _snapped(number: Any) -> Hashable:
    """The number, free of rounding: the simple fraction that it is to 28 digits, or else its first 20 digits."""
    exact = Fraction(str(number))
    if abs(exact) < Fraction(1, 10**80):
        return Fraction(0)  # what is left where everything cancels out
    simple = exact.limit_denominator(10**6)
    return simple if abs(simple - exact) <= abs(exact) / 10**28 else str(number.n(20))
