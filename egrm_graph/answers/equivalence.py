r"""Decide whether two answers are the same.

An answer has one or more *interpretations*: a value, perhaps with a unit and a name. Two answers are the same if any
two of their interpretations agree: the values are equal, and units and names are equal or one side has none. The rules:

- Numbers are compared exactly: 1,000 = 1000 = 1e3 = 1000.0, 1/2 = 0.5 = \frac{1}{2} = one half, 3 1/2 = 3.5, 5 million
  = 5000000. There is no tolerance: 0.333 is not 1/3. A comma before three digits separates thousands; it is never a
  decimal comma.
- A missing unit agrees with any known unit: 5 cm = 5, $5 = 5, 42 apples = 42. Two different units do not agree: 5 cm is
  not 5 m, $5 is not €5. Anything else after a number is part of the answer: 5 squared is not 5 (see `units`).
- A percentage above 1 % is both the number and the fraction: 50% = 50 and 50% = 0.5, because people answer either way.
  Up to 1 %, it is only the fraction, because 0.5 may be 50%: 0.5% = 0.005.
- `x = 5` is 5, and is not `y = 5` (see `variable_names`).
- (A), A. and A) Paris are A, and A) Paris is Paris. A) Paris is neither A) London nor B) Paris.
- Sets, tuples, intervals, unions, matrices, and options are compared by their members (see `lists`), equations and
  inequalities by their sides (see `relations`), and dates and times by what they denote (see `dates`).
- Mathematical expressions that the rules above leave open are compared by value (see `mathematics`).
- Other text is compared in a normal form (see `normalization` and `text_form`).

The relation is reflexive and symmetric. It is transitive except where an answer has several interpretations: a missing
unit or name, a percentage, or an option with its text. Texts over 1,000 characters are compared character by character,
except for whitespace.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from egrm_graph.answers import mathematics
from egrm_graph.answers.dates import parse_date_or_time
from egrm_graph.answers.lists import interpret_list, may_be_list
from egrm_graph.answers.normalization import normalize, parse_number
from egrm_graph.answers.number_words import with_digits
from egrm_graph.answers.relations import may_be_relation, relation
from egrm_graph.answers.text_form import comparable_text
from egrm_graph.answers.units import PERCENT, known_unit, meanings
from egrm_graph.answers.variable_names import split_name

_MAX_CHARACTERS = 1000
_PURE = "1"  # the unit of a number that has none

_OPTION = re.compile(r"\(?([a-jA-J])\)\s+(?=\S)|([A-J])[.:]\s+(?=\S)")
_NO_OPTION = re.compile(  # two labels, initials, a species, or a statement about the option
    r".*\([a-jA-J]\)|.*\b[A-J]\)|.*\b[a-jA-J]:\s|[a-zA-Z]\.|(?:and|or|not|is|isn't|was|but)\b", re.DOTALL
)
_SPECIES = re.compile(r"[A-J]\. [a-z]+")
_LETTER = re.compile(r"([a-zA-Z])\)|(?:option|choice) \(?([a-j])\)?", re.IGNORECASE)
_MONEY = re.compile(r"([+-]?)\s*(us\$|[$€£¥₹]|usd\b|eur\b|gbp\b)\s*", re.IGNORECASE)
_RATE = re.compile(r"([0-9.,]+)(\s+per\s.+|\s*/\s*[a-z].*)")
_ORDINAL = re.compile(r"([0-9,]*(?:1[0-9]|[0-9]))(st|nd|rd|th)", re.IGNORECASE)
_POWER = re.compile(r"\^(?:-?[1-3]|\{-?[1-3]\})")
_AMOUNT = re.compile(  # no variables, whose products look like units, and no sine, whose degrees are its argument's
    r"(?:\\?(?:[dt]?frac|sqrt|pi|cdot|times|overline|bar|pm)(?![a-zA-Z])|(?<=[0-9])[eE](?=[+-]?[0-9])|[^a-zA-Z\\])+"
)
_INFINITY = re.compile(r"([+-]?)\s*(?:\\infty|infinity)", re.IGNORECASE)

_Evaluate = Callable[[str], Hashable | None]


class Interpretation(NamedTuple):
    """One way to understand an answer: a value, and properties that must agree if both interpretations have them."""

    value: Hashable
    unit: str = ""
    name: str = ""
    exact_text: str = ""


class Interpretations(NamedTuple):
    """All interpretations of an answer, and the parts that only the parser may understand."""

    values: frozenset[Hashable]
    all: tuple[Interpretation, ...]
    unparsed: tuple[str, ...]


def same(one: str, other: str) -> bool:
    """Return whether two answers are equivalent. Never raises, and takes at most a second for any two texts."""
    if one == other:
        return True
    if max(len(one), len(other)) > _MAX_CHARACTERS:
        return one.split() == other.split()
    if one.isdecimal() and other.isdecimal():
        return int(one) == int(other)
    first, second = _without_parser(one), _without_parser(other)
    if _agree(first, second):
        return True
    if not (_any_mathematics(first.unparsed) or _any_mathematics(second.unparsed)):
        return False
    return _agree(_with_parser(one), _with_parser(other))


def _agree(first: Interpretations, second: Interpretations) -> bool:
    if first.values.isdisjoint(second.values):
        return False
    return any(
        one.value == other.value and all(not a or not b or a == b for a, b in zip(one[1:], other[1:], strict=True))
        for one in first.all
        for other in second.all
    )


@lru_cache(maxsize=4096)
def _without_parser(text: str) -> Interpretations:
    return _interpretations(text, _plain_value)


@lru_cache(maxsize=1024)
def _with_parser(text: str) -> Interpretations:
    return _interpretations(text, _value)


@lru_cache(maxsize=4096)
def _any_mathematics(parts: tuple[str, ...]) -> bool:
    return any(mathematics.looks_like_mathematics(part) for part in parts)


def _interpretations(text: str, evaluate: _Evaluate) -> Interpretations:
    unparsed: dict[str, None] = {}

    def record_unparsed(part: str) -> Hashable | None:
        value = evaluate(part)
        if value is None:
            unparsed[part] = None
        return value

    found = tuple(_interpret(normalize(text), record_unparsed))
    return Interpretations(frozenset(interpretation.value for interpretation in found), found, tuple(unparsed))


def _plain_value(text: str) -> Hashable | None:
    if infinity := _INFINITY.fullmatch(text):
        return "infinity", infinity[1] or "+"
    return parse_number(with_digits(text))


def _value(text: str) -> Hashable | None:
    plain_value = _plain_value(text)
    return plain_value if plain_value is not None else mathematics.value(text)


def _interpret(text: str, evaluate: _Evaluate) -> Iterator[Interpretation]:
    """Yield the interpretations of a normalized text. `evaluate` gives the value of a part, or None."""
    name, body = split_name(text)
    body = _without_brackets(with_digits(body))
    yield from _texts(text, name, body)
    if (when := parse_date_or_time(body)) is not None:
        yield Interpretation(when)
        return
    if may_be_relation(text) and (related := relation(text, evaluate)) is not None:
        yield Interpretation(related)
    quantities = list(_quantities(body, evaluate))
    yield from (quantity._replace(name=name) for quantity in quantities)
    if not quantities and may_be_list(text):
        for members in interpret_list(text if not name else body, lambda part: _member(part, evaluate)):
            yield Interpretation(members.value, members.conjunction, name or members.name, members.exact_text)


def _member(text: str, evaluate: _Evaluate) -> Hashable | None:
    """Return the value of a list's member."""
    value = evaluate(_without_brackets(text))
    return value if value is not None or not may_be_relation(text) else relation(text, evaluate)


def _texts(text: str, name: str, body: str) -> Iterator[Interpretation]:
    """Yield the full text, the text without its name, and the parts of an option such as `A) Paris`."""
    yield Interpretation(("text", comparable_text(text)))
    if letter := _LETTER.fullmatch(text):
        yield Interpretation(("text", (letter[1] or letter[2]).casefold()))
    yield Interpretation(("text", comparable_text(body)), name=name)
    option = _OPTION.match(text)
    if option and not _NO_OPTION.match(rest := text[option.end() :]):
        letter_of = (option[1] or option[2]).casefold()
        if not _SPECIES.fullmatch(text):
            yield Interpretation(("text", letter_of), comparable_text(rest))
        yield Interpretation(("text", comparable_text(rest)), letter_of)


def _without_brackets(text: str) -> str:
    """Return a single item without the brackets around it."""
    inner = text[1:-1]
    return inner.strip() if text[:1] + text[-1:] == "()" and not re.search(r"[(),;]", inner) and inner.strip() else text


def _quantities(text: str, evaluate: _Evaluate) -> Iterator[Interpretation]:
    for amount, unit in _amounts(text):
        if (value := evaluate(amount)) is None:
            continue
        if unit == PERCENT and isinstance(value, Fraction):
            yield Interpretation(value / 100, _PURE)
            if abs(value) <= 1:
                continue
        for meaning in meanings(unit):
            yield Interpretation(value, meaning)


def _amounts(text: str) -> Iterator[tuple[str, str]]:
    """Yield amounts and units: the full text without a unit, then the text without the unit before or after it."""
    yield text, ""
    if money := _MONEY.match(text):
        amount, unit = with_digits(money[1] + text[money.end() :]), known_unit(money[2]) or ""
        if rate := _RATE.fullmatch(amount):
            amount, unit = rate[1], known_unit(f" {money[2]}{rate[2]}") or ""
        if unit:
            yield amount, unit
    elif ordinal := _ORDINAL.fullmatch(text):
        yield ordinal[1], "ordinal"
    else:
        for end in _unit_starts(text):
            if _AMOUNT.fullmatch(text[:end]) and (unit_after := known_unit(text[end:])) is not None:
                yield text[:end], unit_after
                return


def _unit_starts(text: str) -> Iterator[int]:
    """Yield the places where a unit may start: after the last digit, bracket, or pi, ignoring powers of the unit."""
    last_power = _POWER.search(text[-6:])
    at_end = last_power is not None and last_power.end() == len(text[-6:])
    bodies = [text[: len(text) - len(last_power[0])] if last_power and at_end else text]
    bodies.append(_POWER.sub(lambda power: " " * len(power[0]), text))
    for body in bodies:
        end = max(body.rfind(mark) + len(mark) if mark in body else 0 for mark in (*"0123456789})", r"\pi"))
        if 0 < end < len(text):
            yield end
