"""Read numbers in English words: `five`, `one hundred and five`, `two thirds`, `2 dozen`, `three and a half`.

A number is what English grammar reads as one number. `one five` is not a number, and neither are ordinals
(`twenty-fifth`) and plural scales (`dozens`).
"""

from __future__ import annotations

import re
from fractions import Fraction

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_SMALL = {word: i for i, word in enumerate(_ONES.split())}
_TEN_NAMES = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10 * i for i, word in enumerate(_TEN_NAMES.split(), 2)}
_SCALES = {
    "dozen": 12,
    "thousand": 10**3,
    "lakh": 10**5,
    "million": 10**6,
    "crore": 10**7,
    "billion": 10**9,
    "trillion": 10**12,
}
_PART_NAMES = "third quarter fourth fifth sixth seventh eighth ninth tenth hundredth thousandth"
_PARTS = dict(zip(_PART_NAMES.split(), (3, 4, 4, 5, 6, 7, 8, 9, 10, 100, 1000), strict=True)) | {"half": 2}
_PLURAL_PARTS = {f"{name}s": size for name, size in _PARTS.items()} | {"halves": 2}
_MAX_WORDS = 20

_WORD = re.compile(r"[\s-]*([a-zA-Z]+)(?![\w'])")
_NUMERAL = re.compile(r"((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?)(?=[\s-]\s*[a-zA-Z])")
_NEGATIVE = re.compile(r"-\s*|(?:minus|negative)\s+", re.IGNORECASE)


class _Words:
    """A cursor over the first words of a text. The first word may be a number in digits."""

    def __init__(self, text: str, start: int) -> None:
        self.words: list[str] = []
        self.ends: list[int] = []
        self.at = 0
        match = _NUMERAL.match(text, start) or _WORD.match(text, start)
        while match is not None and len(self.words) < _MAX_WORDS:
            self.words.append(match[1].lower())
            self.ends.append(match.end())
            match = _WORD.match(text, match.end())

    def peek(self, ahead: int = 0) -> str:
        return self.words[self.at + ahead] if self.at + ahead < len(self.words) else ""

    def take(self) -> str:
        self.at += 1
        return self.words[self.at - 1]


def with_digits(text: str) -> str:
    """Replace the number words that start a text with digits: `five apples` becomes `5 apples`."""
    sign = _NEGATIVE.match(text)
    start = sign.end() if sign else 0
    words = _Words(text, start)
    number = _number(words)
    if number is None or (words.at == 1 and words.words[0][0].isdigit()):
        return text  # the text starts with no number, or with digits
    return f"{'-' if sign else ''}{number}{text[words.ends[words.at - 1] :]}"


def _number(words: _Words) -> Fraction | None:
    if words.peek() == "a" and words.peek(1) in ("hundred", "half", *_SCALES, *_PARTS):
        words.take()
        return _parts(words, Fraction(1)) or _scaled(words, Fraction(1))
    if words.peek() in ("half", "dozen"):
        return Fraction(1, 2) if words.take() == "half" else Fraction(12)
    number = _below_thousand(words)
    return None if number is None else _parts(words, number) or _with_half(words, _scaled(words, number))


def _below_thousand(words: _Words) -> Fraction | None:
    """Read `twelve`, `forty-two`, or digits."""
    first = words.peek()
    if first[:1].isdigit():
        return Fraction(words.take().replace(",", ""))
    if first in _TENS:
        tens = _TENS[words.take()]
        return Fraction(tens + (_SMALL[words.take()] if 1 <= _SMALL.get(words.peek(), 0) <= 9 else 0))
    return Fraction(_SMALL[words.take()]) if first in _SMALL else None


def _scaled(words: _Words, number: Fraction) -> Fraction:
    """Read the scales after a number: `two thousand three hundred forty-five`."""
    if words.peek() == "hundred":
        words.take()
        number = number * 100 + _rest(words, 100)
    total, above = Fraction(0), None
    while words.peek() in _SCALES and (above is None or _SCALES[words.peek()] < above):
        above = _SCALES[words.take()]
        total, number = total + number * above, _rest(words, above)
        if words.peek() == "hundred" and 1 <= number <= 9:
            words.take()
            number = number * 100 + _rest(words, 100)
    return total + number


def _rest(words: _Words, limit: int) -> Fraction:
    """Read the smaller number that follows a scale. Without one, return 0 and take no words."""
    before = words.at
    if words.peek() == "and" and words.peek(1) in (*_SMALL, *_TENS):
        words.take()
    number = None if words.peek()[:1].isdigit() else _below_thousand(words)
    if number is not None and 0 < number < limit:
        return number
    words.at = before
    return Fraction(0)


def _parts(words: _Words, number: Fraction) -> Fraction | None:
    """Read `two thirds` or `one half`. The singular follows only `one`, because `twenty-fifth` is an ordinal."""
    size = (_PARTS if number == 1 else _PLURAL_PARTS).get(words.peek())
    if size is None or number.denominator != 1 or (size in (2, 4) and number >= size):
        return None  # 5 quarters may be coins
    words.take()
    return number / size


def _with_half(words: _Words, number: Fraction) -> Fraction:
    """Read `three and a half` or `two and three quarters`."""
    before = words.at
    if words.peek() == "and" and words.take():
        count = Fraction(1) if words.peek() == "a" and words.take() else _below_thousand(words)
        part = None if count is None else _parts(words, count)
        if part is not None and part < 1:
            return number + part
    words.at = before
    return number
