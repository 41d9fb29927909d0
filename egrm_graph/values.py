"""Writes values as text, where datasets, JSON lines, and evaluators hand over something else."""

from __future__ import annotations

import json
import math
from typing import Any

from pydantic_core import to_jsonable_python

from egrm_graph.errors import InputError

SHOWN_CHARACTERS = 80
_EXACT = 2**53
"""Below it a float is exact to the unit."""


def plain_text(value: Any, name: str) -> str:
    """A text as it is, a number or a boolean as JSON writes it.

    A whole number has no decimals: a column of whole numbers with a gap in it comes out of pandas as floats.

    Raises:
        InputError: it is not finite, or neither a text, a number, nor a boolean; the message calls it `name`.
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
        except ValueError as error:  # Python writes no more than some thousand digits
            raise InputError(f"{name} is a number with too many digits; give it as text") from error
    raise InputError(f"{name} is {_kind(value)}; give it as text")


def full_text(value: Any, name: str) -> str:
    """The same, and a list, an object, or a model of pydantic's in full, as JSON with sorted keys.

    Raises:
        InputError: JSON cannot hold it; the message calls it `name`.
    """
    value = builtin(value)
    if isinstance(value, str | int | float):
        return plain_text(value, name)
    try:
        plain = to_jsonable_python(value, inf_nan_mode="constants", fallback=_known)
        if isinstance(plain, str):  # such as a date
            return plain
        return json.dumps(plain, ensure_ascii=False, sort_keys=True, allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        told = f"{name} is {_kind(value)}, which JSON cannot hold"
        raise InputError(f"{told} ({error}); give a text, a message, or JSON values") from error


def builtin(value: Any) -> Any:
    """NumPy's and torch's numbers and arrays as Python's own; anything else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


def _known(value: Any) -> Any:
    if not hasattr(value, "tolist"):
        raise TypeError(f"it has {_kind(value)}")
    return value.tolist()


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds: dict[type, str] = {dict: "the object", list: "the list"}
    kind = kinds.get(type(value), f"the {type(value).__name__}")
    try:
        text = repr(value)
    except Exception:  # of a number with too many digits, or of a class of the caller's
        return kind
    return f"{kind} {text}" if len(text) <= SHOWN_CHARACTERS else f"{kind} {text[:SHOWN_CHARACTERS]}…"
