"""Write values as text, for data sets, JSON lines, and evaluators that pass something other than text."""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic_core import to_jsonable_python

from egrm_graph.errors import InputError

EXCERPT_CHARACTERS = 80
_EXACT = 2**53
"""Smaller floats represent every integer exactly."""


def plain_text(value: Any, name: str) -> str:
    """Return a text unchanged, and a number or a boolean as JSON writes it.

    An integer has no decimals: pandas reads a column of integers with a gap as floats.

    Raises:
        InputError: the value is not finite, or not a text, a number, or a boolean. The message calls it `name`.
    """
    value = builtin(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} is {value}, which is not a finite number; give it as text, or leave it out")
    if isinstance(value, float) and not (value.is_integer() and abs(value) < _EXACT):
        return repr(value)
    if isinstance(value, int | float):
        try:
            return str(int(value))
        except ValueError as error:  # Python limits the digits that it writes
            raise InputError(f"{name} is a number with too many digits; give it as text") from error
    raise InputError(f"{name} is {_described(value)}; give it as text")


def full_text(value: Any, name: str) -> str:
    """Like `plain_text`, but also write a list, an object, or a pydantic model in full, as JSON with sorted keys.

    Raises:
        InputError: JSON cannot hold the value. The message calls it `name`.
    """
    value = builtin(value)
    if isinstance(value, str | int | float):
        return plain_text(value, name)
    try:
        plain = to_jsonable_python(value, inf_nan_mode="constants", fallback=_from_array)
        if isinstance(plain, str):  # such as a date
            return plain
        return json.dumps(plain, ensure_ascii=False, sort_keys=True, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        problem = f"{name} is {_described(value)}, which JSON cannot hold"
        raise InputError(f"{problem} ({error}); give a text, a message, or JSON values") from error


def json_text(value: Any, *, sort_keys: bool = False) -> str:
    """Write a value as JSON. Objects that JSON does not know are written with `str`.

    Raises:
        InputError: the value is nested too deeply, or JSON cannot hold it for another reason.
    """
    try:
        return json.dumps(value, sort_keys=sort_keys, ensure_ascii=False, default=str)
    except RecursionError as error:
        raise InputError("it is nested too deeply to be written as JSON; give flatter values") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"it cannot be written as JSON: {error}") from error


def builtin(value: Any) -> Any:
    """Convert a NumPy or torch number or array to Python's own types. Anything else is returned unchanged."""
    return value.tolist() if hasattr(value, "tolist") else value


def excerpt(value: Any) -> str:
    """Return the start of a value's representation, for error messages. Never raises."""
    try:
        text = repr(value)
    except Exception:  # too many digits, too deeply nested, or an error in the caller's class
        return f"<{type(value).__name__}>"
    return text if len(text) <= EXCERPT_CHARACTERS else f"{text[:EXCERPT_CHARACTERS]}…"


def _from_array(value: Any) -> Any:
    if not hasattr(value, "tolist"):
        raise TypeError(f"it has {_described(value)}")
    return value.tolist()


def _described(value: Any) -> str:
    if value is None:
        return "null"
    kinds: dict[type, str] = {dict: "the object", list: "the list"}
    return f"{kinds.get(type(value), f'the {type(value).__name__}')} {excerpt(value)}"
