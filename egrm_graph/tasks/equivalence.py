r"""When two answers are the same.

An answer has one or more *readings*, each a value with a unit; two answers are the same where two of their readings
agree. What is decided:

- Numbers are compared exactly: 1,000 = 1000 = 1e3 = 1000.0, 1/2 = 0.5 = \frac{1}{2}, 3 1/2 = 3.5. There is no
  tolerance: 0.333 is not 1/3. A comma before three digits separates thousands; it is never a decimal comma.
- A unit that is missing agrees with any: 5 cm = 5, $5 = 5, 42 apples = 42. Two different units do not: 5 cm is not 5 m,
  $5 is not €5. Nothing is converted: 1 m is not 100 cm.
- A per cent is both the figure and the hundredth: 50% = 50 and 50% = 0.5, since questions are answered either way.
- `x = 5` is 5; (A), A. and A) Paris are A; `1, 2`, `{2, 1}` and `2 or 1` are the same set; (1, 2) and [1, 2) keep
  their order and brackets.
- Mathematics is compared by its value (see `mathematics`), where both look like it and the above did not decide.
- Other text is compared without case, spacing, outer punctuation, quotes, markdown, LaTeX's text commands and a leading
  "the". "A" and "an" stay, because "A" is an answer.

It is reflexive and symmetric. It is transitive but for what has more than one reading: a missing unit, a per cent, an
option with its text. Texts over 1,000 characters are only compared by their spelling.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from egrm_graph.tasks import mathematics
from egrm_graph.tasks.spelling import number, tidied

_MAX_CHARACTERS = 1000
_MAX_MEMBERS = 10
_PURE = "1"  # the unit of a number that is known to have none

_NAMED = re.compile(r"[a-zA-Z][a-zA-Z0-9_']{0,9}(?:\s?\([a-zA-Z]\))?\s*=(?!=)\s*")
_SUM_EQUALS = re.compile(r"[0-9+\-*/^(). ]+=\s*")
_OPTION = re.compile(r"(?:\(([a-h])\)|([a-h])[).:])\s+\S", re.IGNORECASE)
_SEPARATOR = re.compile(r"\s*(?:,|;|\band\b|\bor\b)\s*")
_LOOSE_SPACE = re.compile(r"(?<!\w) | (?!\w)")  # 1 2 is not 12, but x > 5 is x>5

_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_UNITS = {
    "$": "dollar",
    "us$": "dollar",
    "usd": "dollar",
    "€": "euro",
    "eur": "euro",
    "£": "pound",
    "gbp": "pound",
    "%": "percent",
    "per cent": "percent",
    "percentage point": "percent",
    "centimeter": "cm",
    "centimetre": "cm",
    "meter": "m",
    "metre": "m",
    "kilometer": "km",
    "kilometre": "km",
    "millimeter": "mm",
    "millimetre": "mm",
    "gram": "g",
    "kilogram": "kg",
    "liter": "l",
    "litre": "l",
    "second": "s",
    "sec": "s",
    "minute": "min",
    "hour": "h",
    "hr": "h",
}
_SIGN_OF_MONEY = re.compile(r"([+-]?)\s*(us\$|[$€£¥₹]|usd\b|eur\b|gbp\b)\s*", re.IGNORECASE)
_UNIT = re.compile(
    r"\s*([%$€£¥₹])"  # a sign
    r"|\s*((?:[kcm]m|[km]g|ml|hz|ms|mph|km/h|m/s|am|pm|st|nd|rd|th)(?:\^\{?[23]\}?)?)"  # known even without a space
    r"|\s([a-z][a-z.]+(?:[ /-][a-z]+){0,2}(?:\^\{?[23]\}?)?)"  # words
    r"|\s([mgshlj](?:/[a-z]+)?(?:\^\{?[23]\}?)?)"  # one letter, of those that are seldom a variable
)
_POWER_AT_END = re.compile(r"\^\{?[23]\}?$")
_PLUS_MINUS = r"\pm"
_NO_UNITS = frozenset({"and", "or", "to", "pi", "sqrt", "sin", "cos", "tan", "log", "ln", "mod", "is", "not", "over"})


class Reading(NamedTuple):
    """One way to understand an answer; an empty unit agrees with every other."""

    value: Hashable
    unit: str = ""


def same(one: str, other: str) -> bool:
    """Whether two answers are equivalent. Never raises, and hostile text takes it a second at most."""
    if one == other:
        return True
    if max(len(one), len(other)) > _MAX_CHARACTERS:
        return _words(one) == _words(other)
    if _agree(_cheap(one), _cheap(other)):
        return True
    if not (_is_mathematics(one) and _is_mathematics(other)):
        return False
    return _agree(_cheap(one) | _costly(one), _cheap(other) | _costly(other))


def _agree(ones: frozenset[Reading], others: frozenset[Reading]) -> bool:
    return any(
        one.value == other.value and (one.unit == other.unit or not one.unit or not other.unit)
        for one in ones
        for other in others
    )


def _words(text: str) -> str:
    return " ".join(text.casefold().split())


@lru_cache(maxsize=4096)
def _cheap(text: str) -> frozenset[Reading]:
    """The readings that need no parser."""
    text = _bare(tidied(text))
    readings = {Reading(("text", _plain_text(text)))}
    if option := _OPTION.match(text):
        readings.add(Reading(("text", (option[1] or option[2]).casefold())))
    readings.update(_quantity(text, number))
    readings.update(_set(text, number))
    return frozenset(readings)


@lru_cache(maxsize=1024)
def _costly(text: str) -> frozenset[Reading]:
    text = _bare(tidied(text))
    return frozenset((*_quantity(text, _value), *_set(text, _value)))


@lru_cache(maxsize=1024)
def _is_mathematics(text: str) -> bool:
    """Whether a parser could have more to say than `_cheap`."""
    text = _bare(tidied(text))
    parts = [head for head, _ in _with_unit(text)]
    parts += [part for _, members in _members(text) for part in members]
    return any(mathematics.looks_like_mathematics(part) for part in parts)


def _value(text: str) -> Hashable | None:
    plain = number(text)
    return plain if plain is not None else mathematics.value(text)


def _bare(text: str) -> str:
    """What is said of the unknown, without its name; and one thing without the brackets around it."""
    for named in (_NAMED.match(text), _SUM_EQUALS.match(text)):
        if named and "=" not in text[named.end() :] and named.end() < len(text):
            text = text[named.end() :]
    inner = text[1:-1]
    if text[:1] == "(" and text[-1:] == ")" and not re.search(r"[(),;]", inner) and inner.strip():
        text = inner.strip()
    return text


def _plain_text(text: str) -> str:
    text = _LOOSE_SPACE.sub("", _words(text))
    return text.removeprefix("the ") or text


def _quantity(text: str, value_of: Callable[[str], Hashable | None]) -> Iterator[Reading]:
    for head, unit in _with_unit(text):
        scaled = _scaled(head)
        value = value_of(head) if scaled is None else scaled
        if value is None:
            continue
        yield Reading(value, unit)
        if unit == "percent" and isinstance(value, Fraction):
            yield Reading(value / 100, _PURE)


def _scaled(text: str) -> Fraction | None:
    """5 million, as a number."""
    figure, _, scale = text.rpartition(" ")
    size = number(figure) if scale.lower() in _SCALES else None
    return None if size is None else size * _SCALES[scale.lower()]


def _with_unit(text: str) -> list[tuple[str, str]]:
    """The text as a whole, and as something with a unit before or behind it."""
    splits = [(text, "")]
    if money := _SIGN_OF_MONEY.match(text):
        sign = money[2].lower()
        splits.append((money[1] + text[money.end() :], _UNITS.get(sign, sign)))
    elif (end := _last_digit(text)) < len(text) and (unit := _UNIT.fullmatch(text.lower(), end)):
        words = unit[0].split()
        scales = 1 if words[0] in _SCALES else 0
        if not _NO_UNITS & set(words):
            splits.append((" ".join((text[:end], *words[:scales])), _unit_named(" ".join(words[scales:]))))
    return splits


def _last_digit(text: str) -> int:
    """Where the unit starts: behind the last digit or brace that is no part of a power at the end."""
    body = _POWER_AT_END.sub("", text)
    return max((body.rfind(character) for character in "0123456789.}"), default=-1) + 1


def _unit_named(unit: str) -> str:
    """One name for a unit's many: its short one if it has one, and the singular."""
    singular = unit[:-1] if len(unit) > 3 and unit.endswith("s") and not unit.endswith("ss") else unit
    return _UNITS.get(unit) or _UNITS.get(singular) or singular


def _set(text: str, value_of: Callable[[str], Hashable | None]) -> Iterator[Reading]:
    for brackets, members in _members(text):
        values = [value_of(member) for member in members]
        if all(value is not None for value in values):
            ordered = tuple(values) if brackets else tuple(sorted(set(values), key=repr))
            yield Reading(("members", brackets, ordered))


def _members(text: str) -> list[tuple[str, list[str]]]:
    """What is listed, with its brackets; a bare list and one in braces are sets, whose order means nothing."""
    if text.count("\\pm") == 1:
        text = f"{text.replace(_PLUS_MINUS, '+')}, {text.replace(_PLUS_MINUS, '-')}"
    brackets = ""
    if text[:1] in ("(", "[", "{") and text[-1:] in (")", "]", "}"):
        brackets, text = text[0] + text[-1], text[1:-1]
        brackets = "" if brackets == "{}" else brackets
    members = [_NAMED.sub("", member.strip()) for member in _SEPARATOR.split(text)]
    return [(brackets, members)] if 2 <= len(members) <= _MAX_MEMBERS and all(members) else []
