r"""Interpret answers that are lists: sets, tuples, intervals and their unions, matrices, and options.

A bare list and a list in braces are sets: their order does not matter. Tuples, intervals, and lists in brackets keep
their order and brackets. Names belong to their values: `x=1, y=2` is `y=2, x=1` and not `x=2, y=1`. A repeated member
counts in a bare list but not in braces. Options (`A, C`) and statements (`I and III`) are sets; other words keep their
order. `or` is not `and`. A comma between names or options means `and`; between solutions it may mean either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

from egrm_graph.answers.variable_names import split_name, split_tuple_names

_MAX_MEMBERS = 10
_SEPARATOR = re.compile(r"\s*[,;]\s*(?:(?:and|or)\s+)?|\s+(?:and|or)\s+")
_SPACED_COMMA = re.compile(r",\s")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")  # 1,5 and 5,1 may be two decimals, not the same list
_CUP = re.compile(r"\s*\\cup(?![a-zA-Z])\s*")
_OPTION = re.compile(r"\(?([A-J]|[IVX]{1,4})\)?")
_MATRIX = re.compile(r"\\begin\{([pbB]?)matrix\}(.*)\\end\{\1matrix\}", re.DOTALL)
_PLUS_MINUS = re.compile(r"\\pm(?![a-zA-Z])")

_Evaluate = Callable[[str], Hashable | None]


class ListInterpretation(NamedTuple):
    """One way to understand a list: a value, and properties that must agree if both interpretations have them."""

    value: tuple[Hashable, ...]
    conjunction: str = ""
    name: str = ""
    exact_text: str = ""


def may_be_list(text: str) -> bool:
    """Return whether the text has a separator or a command. Cheap."""
    return any(mark in text for mark in (",", ";", " and ", " or ", "\\"))


def interpret_list(text: str, evaluate: _Evaluate) -> Iterator[ListInterpretation]:
    """Yield the interpretations of a text as a list of members with a value."""
    names, body = split_tuple_names(text)
    name = ",".join(names)
    if _PLUS_MINUS.search(body):
        yield from _signs(body, evaluate)
        return
    if (rows := _matrix(body, evaluate)) is not None:
        yield ListInterpretation(("matrix", rows))
    if (parts := _parts(body, _CUP)) and len(parts) > 1:
        values = [_interval(part, evaluate) for part in parts]
        if all(value is not None for value in values):
            yield ListInterpretation(("union", tuple(sorted(values, key=repr))))
        return
    for interpretation in _members(body, evaluate):
        yield interpretation._replace(name=name)
        members = interpretation.value[-1]
        if names and interpretation.value[0] == "members" and isinstance(members, tuple) and len(members) == len(names):
            yield ListInterpretation(("named", frozenset(zip(names, members, strict=True))), "and")


def _signs(text: str, evaluate: _Evaluate) -> Iterator[ListInterpretation]:
    r"""Interpret `\pm 2` as 2 and -2."""
    values = [evaluate(_PLUS_MINUS.sub(sign, text).removeprefix("+").strip()) for sign in "+-"]
    if text.count(r"\pm") == 1 and all(value is not None for value in values):
        yield ListInterpretation(("members", "", tuple(sorted(values, key=repr))))


def _members(text: str, evaluate: _Evaluate) -> Iterator[ListInterpretation]:
    brackets, inside = _unbracketed(text)
    parts = _parts(inside, _SEPARATOR, thousands=bool(_SPACED_COMMA.search(inside)))
    if not 2 <= len(parts) <= _MAX_MEMBERS or not all(parts):
        return
    conjunction = _conjunction(inside) if not brackets else ""
    pairs = [split_name(part) for part in parts]
    names = {name for name, _ in pairs}
    if brackets in ("", "{}") and all(option := [_OPTION.fullmatch(part) for part in parts]):
        yield ListInterpretation(
            ("options", tuple(sorted(match[1] for match in option if match))), conjunction or "and"
        )
    values = [_member(body, evaluate) for _, body in pairs]
    if any(value is None for value in values):
        return
    if len(names) == len(pairs):
        yield ListInterpretation(
            ("named", frozenset(zip((name for name, _ in pairs), values, strict=True))), conjunction or "and"
        )
    elif len(names) == 1 and brackets in ("", "{}"):
        members = sorted(set(values) if brackets else values, key=repr)
        exact_text = inside if _DECIMAL_COMMA.fullmatch(inside) and not brackets else ""
        yield ListInterpretation(("members", "", tuple(members)), conjunction, names.pop(), exact_text)
    elif names == {""}:
        yield ListInterpretation(("members", brackets, tuple(values)))
        if brackets == "[]" and (rows := _rows(values)) is not None:
            yield ListInterpretation(("matrix", rows))


def _member(text: str, evaluate: _Evaluate) -> Hashable | None:
    """Return the value of a member: a single value, a tuple, or an interval."""
    return value if (value := evaluate(text)) is not None else _interval(text, evaluate)


def _interval(text: str, evaluate: _Evaluate) -> Hashable | None:
    brackets, inside = _unbracketed(text)
    parts = _parts(inside, _SEPARATOR) if brackets else []
    values = [evaluate(part) for part in parts]
    if not parts or len(parts) > _MAX_MEMBERS or any(value is None for value in values):
        return None
    return brackets, tuple(sorted(set(values), key=repr) if brackets == "{}" else values)


def _conjunction(text: str) -> str:
    return next((word for word in ("or", "and") if re.search(rf"\b{word}\b", text)), "")


def _unbracketed(text: str) -> tuple[str, str]:
    """Return the brackets around the full text, empty if it has none, and the text inside."""
    pair = text[:1] + text[-1:]
    if len(text) > 2 and pair[0] in "([{" and pair[1] in ")]}" and all(_depths(text)[:-1]):
        return pair, text[1:-1].strip()
    return "", text


def _depths(text: str) -> list[int]:
    """Return the bracket depth after each character."""
    depths, depth = [], 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        depths.append(depth)
    return depths


def _parts(text: str, separator: re.Pattern[str], *, thousands: bool = False) -> list[str]:
    """Split the text at the separators outside brackets."""
    depths = _depths(text)
    parts, start = [], 0
    for match in separator.finditer(text):
        grouped = thousands and _THOUSANDS.match(text, match.start())
        if (depths[match.start() - 1] if match.start() else 0) == 0 and not grouped:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    return [*parts, text[start:].strip()]


def _matrix(text: str, evaluate: _Evaluate) -> tuple[tuple[Hashable, ...], ...] | None:
    match = _MATRIX.fullmatch(text)
    if match is None:
        return None
    rows = [[evaluate(cell.strip()) for cell in row.split("&")] for row in match[2].strip().split(r"\\") if row.strip()]
    complete = all(value is not None for row in rows for value in row) and len({len(row) for row in rows}) == 1
    return tuple(tuple(value for value in row if value is not None) for row in rows) if complete else None


def _rows(values: list[Hashable]) -> tuple[tuple[Hashable, ...], ...] | None:
    """Return the rows of a matrix that is written as a list of lists."""
    rows = [value[1] for value in values if isinstance(value, tuple) and value[:1] == ("[]",)]
    return tuple(rows) if len(rows) == len(values) and len({len(row) for row in rows}) == 1 else None
