r"""Recognize mathematical expressions, and write them as LaTeX for the parser.

The text is untrusted, so anything that could take long is refused: long texts, deep nesting, towers of powers, large
exponents, and every command that is not listed here. Anything ambiguous is refused, too, and anything that the parser
misreads:

- dates, ranges, scores, and dimensions (`2020-01-05`, `3-1`, `3 \times 4`), and words with a hyphen (`so-so`);
- `1/2x`, `\sin x/2`, `2 3`, a letter before a digit (`A4`), functions (`f(x+1)`), and derivatives (`\frac{dy}{dx}`);
- products of letters with `\times`, which may be vectors.
"""

from __future__ import annotations

import math
import re

_MAX_CHARACTERS = 80
_MAX_DEPTH = 3  # parsing time grows steeply with nesting, and with these:
_AT_MOST = (("/", 3), ("^", 6), ("{", 12), ("(", 6), (r"\frac", 4), (r"\sqrt", 4))
_MAX_FUNCTIONS = 4
_MAX_EXPONENT = 1000  # all exponents multiplied
_MAX_SMALL_EXPONENT = 100  # next to a variable exponent, and for a value that may come near zero
_MAX_EXPONENT_OF_TRIGONOMETRY = 20  # the sine of a huge number needs all of its digits
_MAX_EXPONENT_CHARACTERS = 16

_TRIGONOMETRY = ("sin", "cos", "tan", "sec", "csc", "cot")
_APPLIED = (*_TRIGONOMETRY, "arcsin", "arccos", "arctan", "ln", "log")
_FUNCTIONS = (*_APPLIED, "sqrt")
_GREEK = ("alpha", "beta", "gamma", "delta", "theta", "lambda", "mu", "omega", "phi", "pi", "rho", "sigma", "tau")
_COMMANDS = frozenset((*_FUNCTIONS, *_GREEK, "frac", "cdot", "times", "div"))

_PLAIN_NAMES = re.compile(rf"(?<![\\a-zA-Z])({'|'.join((*_FUNCTIONS, 'pi', 'theta'))})(?![a-zA-Z])")
_EXPONENTIAL = re.compile(r"(?<![a-zA-Z\\])\\?exp\s*(?=\()")
_FACTORIAL = re.compile(r"(?<![\w.^!)}])([0-9]{1,2})!(?!!)")
_BINOMIAL = re.compile(r"\\[dt]?binom\s*\{\s*([0-9]{1,2})\s*\}\s*\{\s*([0-9]{1,2})\s*\}")
_NEGATIVE_ROOT = re.compile(r"\\sqrt\s*\[([3579])\]\s*\{\s*-\s*([0-9.]+)\s*\}")
_ROOT_INDEX = re.compile(r"\\sqrt\s*\[[2-9]\]")
_SOMETHING = re.compile(r"[0-9+\-*/^|\\]")
_CHARACTERS = re.compile(r"[0-9a-zA-Z+\-*/^_(){}|.\s\\]*")
_WORD = re.compile(r"\\?[a-zA-Z]+")

_LETTER = r"(?<![\\a-zA-Z])[a-zA-Z]{1,3}"
_ARGUMENT = rf"(?:[0-9.]*\s*(?:{_LETTER[:-3]}|\\(?:{'|'.join(_GREEK)})(?![a-zA-Z]))|[0-9.]+)"
_BARE_FUNCTION = rf"\\(?:{'|'.join(_APPLIED)})(?![a-zA-Z])\s*(?:\^\{{?[0-9]\}}?)?(?:_\{{[^{{}}]*\}})?\s*"
_AMBIGUOUS = re.compile(
    r"[0-9./\s]*[0-9]\s*-\s*[0-9][0-9./\s-]*\Z"  # a date, a range, or a score
    r"|[0-9.]+\s*/\s*[0-9.]+\s*/[0-9./\s]*\Z"
    r"|[0-9]+(?:\s*\\times\s*[0-9]+)+\Z"  # dimensions
    r"|(?=[a-zA-Z\s/-]*\Z).*[a-zA-Z][a-z]"  # so-so, he/she
    r"|.*[0-9]\s+\.?[0-9]"
    r"|\([a-zA-Z]\)\s*[0-9]"  # a label
    rf"|.*{_LETTER}\s*[0-9]"
    rf"|.*{_LETTER}\s*\\times\s*\\?[a-zA-Z]"
    r"|.*\\frac\s*\{?\s*d(?![a-zA-Z]{2})"  # a derivative
    r"|.*(?<![\\a-zA-Z])[fghFGHPE]\s*\("
    rf"|.*{_BARE_FUNCTION}(?![({{\s^_\\0-9a-zA-Z])"
    r"|.*\\log\s*\^",
    re.DOTALL,
)
_APPLICATION = re.compile(rf"{_BARE_FUNCTION}(?![({{^_\s])")
_FULL_ARGUMENT = re.compile(rf"{_ARGUMENT}\s*(?:[+)}}|-]|\Z)")
_PRODUCT_AFTER = re.compile(r"\s*(?:[0-9a-zA-Z({]|\\(?!cdot|times|div))")
_DENOMINATOR = re.compile(r"\s*(?:([0-9.]+|[a-zA-Z])|\\sqrt\s*(?:\[[2-9]\])?\s*|\\[a-z]+)?")
_IMPLIED_PRODUCT = re.compile(r"(?:(?<![\^_0-9.])[0-9.]+|\))\s*(?=\()|\)\s*(?=[0-9])")  # the parser adds 2(3) up
_MIXED = re.compile(r"[0-9]\s*\\frac\{([0-9]+)\}\{([0-9]+)\}")
_STRAY_BRACE = re.compile(r"(?<![}\]^_a-zA-Z])\s*\{|(?<=\s)\{")
_PIECES = re.compile(r"\||\\sqrt|\^\s*\{[^{}]*(?:[./]|\\frac)")
_ROOT_OF_FIGURES = re.compile(r"\\sqrt\s*(?:\[[2-9]\])?\s*\{[0-9.]+\}")
_VARIABLE_POWER = re.compile(r"\^\s*(?:[a-zA-Z]|\{[^{}]*[a-zA-Z])")
_LONG_DIGITS = re.compile(r"[0-9]{7}")


def expression(text: str) -> str | None:
    """Return the expression in LaTeX. None if it is ambiguous or could take long to evaluate."""
    if len(text) > _MAX_CHARACTERS:
        return None
    text = _PLAIN_NAMES.sub(r"\\\1", text).replace("**", "^")
    if not _SOMETHING.search(text):
        return None
    text = _FACTORIAL.sub(lambda n: str(math.factorial(int(n[1]))) if int(n[1]) < 60 else n[0], text)
    text = _BINOMIAL.sub(lambda n: f"({math.comb(int(n[1]), int(n[2]))})", text)
    if not _CHARACTERS.fullmatch(_ROOT_INDEX.sub(r"\\sqrt", text)):
        return None
    text = _NEGATIVE_ROOT.sub(r"(-\\sqrt[\1]{\2})", _EXPONENTIAL.sub("e^", text))
    text = re.sub(r"\\(frac|sqrt)\s*([0-9])", r"\\\1{\2}", text)
    text = re.sub(r"(\\frac\{[0-9]\})\s*([0-9])", r"\1{\2}", text)
    text = re.sub(r"\^\s*([0-9]{2,}|-[0-9]+)", r"^{\1}", text)
    text = _braced(text).replace("*", r"\cdot ")
    if not (_known_words(text) and _one_meaning(text) and _bounded(text)):
        return None
    return _IMPLIED_PRODUCT.sub(lambda factor: rf"{factor[0]}\cdot ", text)


def _braced(text: str) -> str:
    r"""Replace the parentheses in `\sqrt(x)` and `x^(2n)` with braces."""
    for opening in re.finditer(r"(?:\\sqrt|\^)\s*\(", text):
        start = opening.end() - 1
        end = _closing(text, start)
        if end is not None:
            text = f"{text[:start]}{{{text[start + 1 : end]}}}{text[end + 1 :]}"
    return text


def _closing(text: str, start: int) -> int | None:
    """Return where the bracket that opens at `start` closes."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] in "({") - (text[i] in ")}")
        if depth == 0:
            return i
    return None


def _known_words(text: str) -> bool:
    return not re.search(r"\\(?![a-zA-Z])", text) and all(
        word[1:] in _COMMANDS if word[0] == "\\" else _may_be_product(word) for word in _WORD.findall(text)
    )


def _may_be_product(word: str) -> bool:
    """Return whether a word may be a product: two letters, or three such as nRT. Other words belong to a language."""
    return len(word) <= 2 or (len(word) == 3 and not (word.islower() or word.istitle() or word.isupper()))


def _one_meaning(text: str) -> bool:
    if _AMBIGUOUS.match(text) or (piecewise(text) and not _rounds_suffice(text)):
        return False
    if _STRAY_BRACE.search(text) or any(int(mixed[1]) >= int(mixed[2]) for mixed in _MIXED.finditer(text)):
        return False
    applied = all(_FULL_ARGUMENT.match(text, application.end()) for application in _APPLICATION.finditer(text))
    return applied and all(_single_denominator(text, slash.end()) for slash in re.finditer(r"/|\\div", text))


def piecewise(latex: str) -> bool:
    """Return whether a modulus, a root, or a fractional power may change its form at some value of a variable."""
    return bool(_WORD.search(latex) and _PIECES.search(_ROOT_OF_FIGURES.sub("", latex)))


def _rounds_suffice(text: str) -> bool:
    """Return whether the rounds of `mathematics` reach every piece: few variables, small constants, and only powers."""
    letters = set("".join(word for word in _WORD.findall(text) if word[0] != "\\"))
    applied = any(f"\\{name}" in text for name in _APPLIED)
    return len(letters) <= 3 and not (applied or _LONG_DIGITS.search(text) or _VARIABLE_POWER.search(text))


def _single_denominator(text: str, start: int) -> bool:
    """Return whether the denominator after a slash has no implied factor, as in `1/2x`."""
    match = _DENOMINATOR.match(text, start)
    end = match.end() if match else start
    if match and not match[1] and text[end : end + 1] in ("(", "{"):
        closing = _closing(text, end)
        end = len(text) if closing is None else closing + 1
    return not _PRODUCT_AFTER.match(text, end)


def _bounded(text: str) -> bool:
    functions = sum(text.count(f"\\{name}") for name in _FUNCTIONS)
    return (
        functions <= _MAX_FUNCTIONS
        and all(text.count(part) <= limit for part, limit in _AT_MOST)
        and not re.search(r"[+\-*/][\s+\-*/]*[+\-*/]\s*[+\-*/]", text)  # 1---1
        and len(re.findall(r"[a-zA-Z]_(?:[0-9a-zA-Z](?!_)|\{[0-9a-zA-Z]{1,4}\}(?!_))", text)) == text.count("_")
        and _shallow(text)
        and _small_exponents(text)
    )


def _shallow(text: str) -> bool:
    depth = deepest = 0
    for character in text:
        depth += (character in "({") - (character in ")}")
        deepest = max(deepest, depth)
        if depth < 0:
            return False
    return depth == 0 and deepest <= _MAX_DEPTH and text.count("|") in (0, 2)


def small_powers(latex: str) -> bool:
    """Return whether no power of ordinary numbers in the expression comes near zero."""
    return not _VARIABLE_POWER.search(latex) and _exponents(latex) <= _MAX_SMALL_EXPONENT


def _small_exponents(text: str) -> bool:
    if _VARIABLE_POWER.search(text):
        nested = text.count("^") > 1 and re.search(r"[)}]\s*\^", text)
        applied = any(f"\\{name}" in text for name in _APPLIED)
        return not nested and not applied and _exponents(text) <= _MAX_SMALL_EXPONENT
    trigonometric = any(f"\\{name}" in text for name in _TRIGONOMETRY)
    return _exponents(text) <= (_MAX_EXPONENT_OF_TRIGONOMETRY if trigonometric else _MAX_EXPONENT)


def _exponents(text: str) -> float:
    """Return the product of all exponents; infinity for towers and for long exponents."""
    total = 1
    for caret in re.finditer(r"\^\s*", text):
        start = caret.end()
        end = _closing(text, start) if text[start : start + 1] == "{" else start
        exponent = text[start : end + 1] if end is not None else "^"
        if "^" in exponent or len(exponent) > _MAX_EXPONENT_CHARACTERS:
            return math.inf
        for digits in re.findall("[0-9]+", exponent):
            total *= max(1, int(digits))
    return total
