r"""Evaluate mathematical expressions, in LaTeX or plain text, to values that can be compared with `==`.

Two expressions are equal if they evaluate to the same values. latex2sympy, the parser of math-verify, parses an
expression. It is then evaluated to 40 digits in several rounds. In each round, a variable gets a number that is derived
from its name: `(x+1)^2` is `x^2+2x+1`. Nothing is simplified, expanded, or solved, because that could take any amount
of time. `expressions` decides what an expression is, and refuses what is too costly or ambiguous.

Why not use math-verify 0.9 itself? Of 627 pairs in `tests/robustness/cases/equal_answers.jsonl`, it calls 58 different
pairs equal (`5 cm` and `5 m`, `3-1` and `2`, `52_8` and `52`, `2AB` and `2BA`, decimals that differ by less than 1e-6)
and 145 equal pairs different. It takes about 20 ms per pair. Its time-outs use signals, so it fails outside the main
thread, and without them its time is unbounded. Its parser, which this module uses, also lowercases capitals, reads
`2(3)` as 5, and reads `\frac{dy}{dx}` as 0. `expressions` and this module work around that.

A `\log` without a base is an unknown multiple of the natural logarithm. Capital letters are separate variables.
Products of capitals (`2AB`) keep their order, because they may be matrices.
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

from egrm_graph.answers.expressions import expression, piecewise, small_powers

_MAX_BITS = 8000
_MAX_SIZE = 10**80  # a larger inexact value is the reciprocal of a rounded zero
_NOISE = 1e-30  # the relative size of a part that is zero except for rounding
_BARE_LOGARITHM = re.compile(r"\\log(?![a-zA-Z])(?!\s*_)")
_CAPITAL = re.compile(r"([A-Z])(?:_\{([^{}]*)\})?")
_CAPITALS_MULTIPLIED = re.compile(r"[A-Z]\s*(?:\\cdot\s*)?[A-Z]")

# The sizes of the variables in each round. In the first four rounds, every letter is negative at least once, and any
# two letters differ in sign at least once. In the fifth, all are negative. The last two, one of each sign, are larger
# than the constants of a piecewise expression. So |xy| is not xy, and |x-5| is neither x-5 nor 5-x.
_SIZES = (1, 30, 1, 1, 1, 10**7, 10**7)
_SIGNED_ROUNDS = 4
_SMALL_ROUNDS = 5
_NEEDED = (0, 2)  # in the other rounds a power may be too large
_SIGNS = {name: code for code, name in enumerate("xyzabcnmktrspq", start=1)}

# Every parse writes to class attributes of the parser. A fork waits until the current parse ends. Otherwise the child
# could inherit a half-written table or a half-finished import.
_parser_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_parser_lock.acquire, after_in_parent=_parser_lock.release, after_in_child=_parser_lock.release
    )


def value(text: str) -> Hashable | None:
    """Return the value of an expression. None if the text is not an expression that can be evaluated safely."""
    latex = expression(text)
    return None if latex is None else _evaluated(latex)


def looks_like_mathematics(text: str) -> bool:
    """Return whether `value` would parse the text. Cheap."""
    return expression(text) is not None


@lru_cache(maxsize=1024)
def _evaluated(latex: str) -> Hashable | None:
    # Fractions are exact, decimals are not.
    exact = re.sub(r"([0-9]*)\.([0-9]+)", lambda m: rf"\frac{{{m[1]}{m[2]}}}{{1{'0' * len(m[2])}}}", latex)
    exact = _BARE_LOGARITHM.sub(r"\\kappa\\ln ", exact)
    # The parser lowercases capitals, and reads I as the imaginary unit.
    exact = _CAPITAL.sub(lambda m: rf"\upsilon_{{{m[1].lower()}{m[2] or ''}}}", exact)
    try:
        with _parser_lock:
            from latex2sympy2_extended import latex2sympy

            parsed: Any = latex2sympy(exact, normalization_config=None)
            parsed = parsed.doit()  # the parser does not evaluate 1-1
            rounds = [_at(parsed, i) for i in range(_rounds(latex) if parsed.free_symbols else 1)]
    except Exception:  # a parser of untrusted text can raise anything; the text then has no value
        return None
    if any(rounds[i] is None for i in _NEEDED if i < len(rounds)):
        return None
    if not (small_powers(latex) or parsed.is_Rational) and Fraction(0) in rounds:
        return None  # the power of a fraction, or a zero except for rounding
    found = rounds[0] if len(set(rounds)) == 1 else tuple(rounds)
    return (found, tuple(re.findall("[A-Z]", latex))) if _CAPITALS_MULTIPLIED.search(latex) else found


def _rounds(latex: str) -> int:
    return len(_SIZES) if piecewise(latex) else _SMALL_ROUNDS


def _at(parsed: Any, i: int) -> Hashable | None:
    """Return the expression's value in the i-th round. None if it is undefined or too large."""
    import sympy

    if parsed.is_Rational:
        exact = Fraction(int(parsed.p), int(parsed.q))
        return exact if max(abs(exact.numerator), exact.denominator).bit_length() <= _MAX_BITS else None
    points = {symbol: sympy.I if symbol.name == "i" else _point(symbol.name, i) for symbol in parsed.free_symbols}
    real, imaginary = parsed.evalf(40, subs=points, maxn=200).as_real_imag()
    if not all(part.is_Number and part.is_finite and abs(part) < _MAX_SIZE for part in (real, imaginary)):
        return None
    if abs(imaginary) <= abs(real) * _NOISE:
        return _snapped(real)
    return (0 if abs(real) <= abs(imaginary) * _NOISE else _snapped(real)), _snapped(imaginary)


def _point(name: str, i: int) -> Any:
    """Return a fraction whose size and sign are derived from the name and the round."""
    import sympy

    digest = hashlib.sha256(f"{i} {name}".encode()).digest()
    size = _SIZES[i] * sympy.Rational(500_000 + int.from_bytes(digest[:4], "big") % 1_000_003, 1_000_003)
    code = _SIGNS.get(name, digest[4] % 14 + 1)
    negative = code >> i & 1 if i < _SIGNED_ROUNDS else i != _SMALL_ROUNDS
    return -size if negative else size


def _snapped(number: Any) -> Hashable:
    """Remove rounding errors: return the simple fraction that matches to 28 digits, or the first 30 digits."""
    exact = Fraction(str(number))
    if abs(exact) < Fraction(1, 10**80):
        return Fraction(0)  # everything cancels out, except for rounding
    simple = exact.limit_denominator(10**6)
    return simple if abs(simple - exact) <= abs(exact) / 10**28 else str(number.n(30))
