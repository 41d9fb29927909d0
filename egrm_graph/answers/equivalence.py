r"""When two answers are the same.

An answer has one or more *readings*: a value, perhaps with a unit and a name. Two answers are the same where two of
their readings agree: the values are equal, and units and names are equal or missing on one side. What is decided:

- Numbers are compared exactly: 1,000 = 1000 = 1e3 = 1000.0, 1/2 = 0.5 = \frac{1}{2} = one half, 3 1/2 = 3.5, 5 million
  = 5000000. There is no tolerance: 0.333 is not 1/3. A comma before three digits separates thousands; it is never a
  decimal comma.
- A known unit that is missing agrees with any: 5 cm = 5, $5 = 5, 42 apples = 42. Two different units do not: 5 cm is
  not 5 m, $5 is not €5. Anything else behind a number is part of the answer: 5 squared is not 5 (see `units`).
- A per cent above 1 is both the figure and the hundredth: 50% = 50 and 50% = 0.5, since questions are answered either
  way. Others are the hundredth only, since 0.5 may be 50%: 0.5% = 0.005.
- `x = 5` is 5, and is not `y = 5` (see `naming`).
- (A), A. and A) Paris are A, and A) Paris is Paris. A) Paris is neither A) London nor B) Paris.
- Sets, tuples, intervals, unions, matrices, and options are compared by their members (see `listing`), equations and
  inequalities by their sides (see `relations`), dates and times by what they denote (see `moments`).
- Mathematics is compared by its value (see `mathematics`), where both look like it and the above did not decide.
- Other text is compared in one form (see `spelling` and `wording`).

It is reflexive and symmetric. It is transitive except for what has more than one reading: a missing unit or name, a per
cent, an option with its text. Texts over 1,000 characters are compared character by character, except for spacing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from egrm_graph.answers import mathematics
from egrm_graph.answers.listing import listed, may_be_list
from egrm_graph.answers.moments import moment
from egrm_graph.answers.naming import named
from egrm_graph.answers.number_words import with_figures
from egrm_graph.answers.relations import may_be_relation, relation
from egrm_graph.answers.spelling import number, tidied
from egrm_graph.answers.units import PERCENT, known_unit, meanings
from egrm_graph.answers.wording import plain

_MAX_CHARACTERS = 1000
_PURE = "1"  # the unit of a number that is known to have none

_OPTION = re.compile(r"\(?([a-jA-J])\)\s+(?=\S)|([A-J])[.:]\s+(?=\S)")
_NO_OPTION = re.compile(  # two labels, initials, a species, or something that is said of the option
    r".*\([a-jA-J]\)|.*\b[A-J]\)|.*\b[a-jA-J]:\s|[a-zA-Z]\.|(?:and|or|not|is|isn't|was|but)\b", re.DOTALL
)
_SPECIES = re.compile(r"[A-J]\. [a-z]+")
_LETTER = re.compile(r"([a-zA-Z])\)|(?:option|choice) \(?([a-j])\)?", re.IGNORECASE)
_MONEY = re.compile(r"([+-]?)\s*(us\$|[$€£¥₹]|usd\b|eur\b|gbp\b)\s*", re.IGNORECASE)
_RATE = re.compile(r"([0-9.,]+)(\s+per\s.+|\s*/\s*[a-z].*)")
_ORDINAL = re.compile(r"([0-9,]*(?:1[0-9]|[0-9]))(st|nd|rd|th)", re.IGNORECASE)
_POWER = re.compile(r"\^(?:-?[1-3]|\{-?[1-3]\})")
_FIGURE = re.compile(  # no variables, whose products look like units, and no sine, whose degrees are its argument's
    r"(?:\\?(?:[dt]?frac|sqrt|pi|cdot|times|overline|bar|pm)(?![a-zA-Z])|(?<=[0-9])[eE](?=[+-]?[0-9])|[^a-zA-Z\\])+"
)
_INFINITY = re.compile(r"([+-]?)\s*(?:\\infty|infinity)", re.IGNORECASE)

Value = Callable[[str], Hashable | None]


class Reading(NamedTuple):
    """One way to understand an answer: a value, and what must not differ where both readings have it."""

    value: Hashable
    unit: str = ""
    name: str = ""
    spelling: str = ""


class Readings(NamedTuple):
    """All of them, and the parts that only the parser may understand."""

    values: frozenset[Hashable]
    all: tuple[Reading, ...]
    unread: tuple[str, ...]


def same(one: str, other: str) -> bool:
    """Whether two answers are equivalent. Never raises, and takes a second at most, whatever the texts are."""
    if one == other:
        return True
    if max(len(one), len(other)) > _MAX_CHARACTERS:
        return one.split() == other.split()
    if one.isdecimal() and other.isdecimal():
        return int(one) == int(other)
    ones, others = _cheap(one), _cheap(other)
    if _agree(ones, others):
        return True
    if not (_any_mathematics(ones.unread) or _any_mathematics(others.unread)):
        return False
    return _agree(_costly(one), _costly(other))


def _agree(ones: Readings, others: Readings) -> bool:
    if ones.values.isdisjoint(others.values):
        return False
    return any(
        one.value == other.value and all(not a or not b or a == b for a, b in zip(one[1:], other[1:], strict=True))
        for one in ones.all
        for other in others.all
    )


@lru_cache(maxsize=4096)
def _cheap(text: str) -> Readings:
    """The readings that need no parser."""
    return _collected(text, _plain_value)


@lru_cache(maxsize=1024)
def _costly(text: str) -> Readings:
    return _collected(text, _value)


@lru_cache(maxsize=4096)
def _any_mathematics(parts: tuple[str, ...]) -> bool:
    return any(mathematics.looks_like_mathematics(part) for part in parts)


def _collected(text: str, value_of: Value) -> Readings:
    unread: dict[str, None] = {}

    def recorded(part: str) -> Hashable | None:
        value = value_of(part)
        if value is None:
            unread[part] = None
        return value

    everything = tuple(_readings(tidied(text), recorded))
    return Readings(frozenset(reading.value for reading in everything), everything, tuple(unread))


def _plain_value(text: str) -> Hashable | None:
    if infinity := _INFINITY.fullmatch(text):
        return "infinity", infinity[1] or "+"
    return number(with_figures(text))


def _value(text: str) -> Hashable | None:
    plain_value = _plain_value(text)
    return plain_value if plain_value is not None else mathematics.value(text)


def _readings(text: str, value_of: Value) -> Iterator[Reading]:
    """All readings of a tidied text, with a value for each part that `value_of` knows."""
    name, body = named(text)
    body = _without_brackets(with_figures(body))
    yield from _texts(text, name, body)
    if (when := moment(body)) is not None:
        yield Reading(when)
        return
    if may_be_relation(text) and (related := relation(text, value_of)) is not None:
        yield Reading(related)
    quantities = list(_quantities(body, value_of))
    yield from (reading._replace(name=name) for reading in quantities)
    if not quantities and may_be_list(text):
        for reading in listed(text if not name else body, lambda part: _item(part, value_of)):
            yield Reading(reading.value, reading.conjunction, name or reading.name, reading.spelling)


def _item(text: str, value_of: Value) -> Hashable | None:
    """The value of a member of a list."""
    value = value_of(_without_brackets(text))
    return value if value is not None or not may_be_relation(text) else relation(text, value_of)


def _texts(text: str, name: str, body: str) -> Iterator[Reading]:
    """The text as it stands, without its name, and as an option with a text."""
    yield Reading(("text", plain(text)))
    if letter := _LETTER.fullmatch(text):
        yield Reading(("text", (letter[1] or letter[2]).casefold()))
    yield Reading(("text", plain(body)), name=name)
    option = _OPTION.match(text)
    if option and not _NO_OPTION.match(rest := text[option.end() :]):
        letter_of = (option[1] or option[2]).casefold()
        if not _SPECIES.fullmatch(text):
            yield Reading(("text", letter_of), plain(rest))
        yield Reading(("text", plain(rest)), letter_of)


def _without_brackets(text: str) -> str:
    """One thing without the brackets around it."""
    inner = text[1:-1]
    return inner.strip() if text[:1] + text[-1:] == "()" and not re.search(r"[(),;]", inner) and inner.strip() else text


def _quantities(text: str, value_of: Value) -> Iterator[Reading]:
    for head, unit in _with_unit(text):
        if (value := value_of(head)) is None:
            continue
        if unit == PERCENT and isinstance(value, Fraction):
            yield Reading(value / 100, _PURE)
            if abs(value) <= 1:
                continue
        for meaning in meanings(unit):
            yield Reading(value, meaning)


def _with_unit(text: str) -> Iterator[tuple[str, str]]:
    """The text as a whole, and as something with a unit before or behind it."""
    yield text, ""
    if money := _MONEY.match(text):
        amount, unit = with_figures(money[1] + text[money.end() :]), known_unit(money[2]) or ""
        if rate := _RATE.fullmatch(amount):
            amount, unit = rate[1], known_unit(f" {money[2]}{rate[2]}") or ""
        if unit:
            yield amount, unit
    elif ordinal := _ORDINAL.fullmatch(text):
        yield ordinal[1], "ordinal"
    else:
        for end in _unit_starts(text):
            if _FIGURE.fullmatch(text[:end]) and (unit_behind := known_unit(text[end:])) is not None:
                yield text[:end], unit_behind
                return


def _unit_starts(text: str) -> Iterator[int]:
    """Where a unit may start: behind the last digit, bracket, or pi, apart from the powers of the unit."""
    last = _POWER.search(text[-6:])
    at_end = last is not None and last.end() == len(text[-6:])
    bodies = [text[: len(text) - len(last[0])] if last and at_end else text]
    bodies.append(_POWER.sub(lambda power: " " * len(power[0]), text))
    for body in bodies:
        end = max(body.rfind(last) + len(last) if last in body else 0 for last in (*"0123456789})", r"\pi"))
        if 0 < end < len(text):
            yield end
