r"""The value of a mathematical expression, in LaTeX or plain spelling, as something that can be compared with `==`.

Decides: an expression is what it evaluates to. It is parsed by latex2sympy (math-verify's own parser) and evaluated to
40 digits, with a number that follows from its name in the place of each variable, in several different rounds; equal
values mean equal expressions: `(x+1)^2` is `x^2+2x+1`. Nothing is ever simplified, expanded or solved, since there is
no bound on the time of that. What is an expression, and what is refused as too costly or ambiguous, `expressions`
decides.

Why not math-verify 0.9 itself: on 627 of the pairs in `tests/robustness/cases/equal_answers.jsonl`, it calls 58
different pairs equal (`5 cm` and `5 m`, `3-1` and `2`, `52_8` and `52`, `2AB` and `2BA`, decimals that differ by less
than 1e-6) and 145 equal pairs different, at about 20 ms a pair. Its time-outs are signals, so it raises off the main
thread; without them nothing bounds its time. Its parser, which this module shares, also lowers capitals, adds `2(3)`
up to 5, and takes `\frac{dy}{dx}` for 0; `expressions` and this module keep those from it.

A `\log` without a base is an unknown multiple of the natural logarithm. Capital letters are variables of their own, and
products of them (`2AB`) keep their order, since they may be matrices.
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
_MAX_SIZE = 10**80  # larger, if not exact, is the reciprocal of what rounding left of a zero
_NOISE = 1e-30  # what rounding leaves of a part that is really zero
_BARE_LOGARITHM = re.compile(r"\\log(?![a-zA-Z])(?!\s*_)")
_CAPITAL = re.compile(r"([A-Z])(?:_\{([^{}]*)\})?")
_CAPITALS_MULTIPLIED = re.compile(r"[A-Z]\s*(?:\\cdot\s*)?[A-Z]")

# The sizes of the variables in each round. In the first four, every letter is negative somewhere and different letters
# differ in sign somewhere; in the fifth, all are negative. The last two, one of each sign, are beyond the constants of
# a piecewise expression. So |xy| is not xy, and |x-5| is neither x-5 nor 5-x.
_SIZES = (1, 30, 1, 1, 1, 10**7, 10**7)
_SIGNED_ROUNDS = 4
_SMALL_ROUNDS = 5
_NEEDED = (0, 2)  # in the other rounds a power may be too large
_SIGNS = {name: code for code, name in enumerate("xyzabcnmktrspq", start=1)}

# The parser keeps its tables in class attributes that every parse writes to. A fork waits for the parse that is under
# way, so that a child never finds half of a table, or half of an import.
_parser_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_parser_lock.acquire, after_in_parent=_parser_lock.release, after_in_child=_parser_lock.release
    )


def value(text: str) -> Hashable | None:
    """What the expression evaluates to; None where the text is not an expression that can be evaluated safely."""
    latex = expression(text)
    return None if latex is None else _evaluated(latex)


def looks_like_mathematics(text: str) -> bool:
    """Whether `value` would try; cheap."""
    return expression(text) is not None


@lru_cache(maxsize=1024)
def _evaluated(latex: str) -> Hashable | None:
    # As fractions, decimals are exact.
    exact = re.sub(r"([0-9]*)\.([0-9]+)", lambda m: rf"\frac{{{m[1]}{m[2]}}}{{1{'0' * len(m[2])}}}", latex)
    exact = _BARE_LOGARITHM.sub(r"\\kappa\\ln ", exact)
    # The parser lowers capitals, and takes I for the imaginary unit.
    exact = _CAPITAL.sub(lambda m: rf"\upsilon_{{{m[1].lower()}{m[2] or ''}}}", exact)
    try:
        with _parser_lock:
            from latex2sympy2_extended import latex2sympy

            parsed: Any = latex2sympy(exact, normalization_config=None)
            parsed = parsed.doit()  # the parser leaves 1-1 as it stands
            rounds = [_at(parsed, i) for i in range(_rounds(latex) if parsed.free_symbols else 1)]
    except Exception:  # what a parser makes of untrusted text has no list; no value is the answer to all of it
        return None
    if any(rounds[i] is None for i in _NEEDED if i < len(rounds)):
        return None
    if not (small_powers(latex) or parsed.is_Rational) and Fraction(0) in rounds:
        return None  # the power of a fraction, or what rounding left of a zero
    found = rounds[0] if len(set(rounds)) == 1 else tuple(rounds)
    return (found, tuple(re.findall("[A-Z]", latex))) if _CAPITALS_MULTIPLIED.search(latex) else found


def _rounds(latex: str) -> int:
    return len(_SIZES) if piecewise(latex) else _SMALL_ROUNDS


def _at(parsed: Any, i: int) -> Hashable | None:
    """The expression's value in the i-th round; None where it is too large or has none."""
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
    """A fraction whose size and sign follow from the name and the round."""
    import sympy

    digest = hashlib.sha256(f"{i} {name}".encode()).digest()
    size = _SIZES[i] * sympy.Rational(500_000 + int.from_bytes(digest[:4], "big") % 1_000_003, 1_000_003)
    code = _SIGNS.get(name, digest[4] % 14 + 1)
    negative = code >> i & 1 if i < _SIGNED_ROUNDS else i != _SMALL_ROUNDS
    return -size if negative else size


def _snapped(number: Any) -> Hashable:
    """The number, free of rounding: the simple fraction that it is to 28 digits, or else its first 30 digits."""
    exact = Fraction(str(number))
    if abs(exact) < Fraction(1, 10**80):
        return Fraction(0)  # what is left where everything cancels out
    simple = exact.limit_denominator(10**6)
    return simple if abs(simple - exact) <= abs(exact) / 10**28 else str(number.n(30))
