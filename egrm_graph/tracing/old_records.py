"""Convert records of older versions of this package to the current form."""

from __future__ import annotations

from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from typing_extensions import is_typeddict

from egrm_graph.records.record import Record


def complete(record: Record) -> None:
    """Set the optional fields that an older version did not record to None."""
    _complete(record, Record)


def _complete(value: Any, kind: Any) -> None:
    if get_origin(kind) in (Union, UnionType):
        for option in get_args(kind):
            _complete(value, option)
    elif get_origin(kind) is list and isinstance(value, list):
        for item in value if _has_fields(*get_args(kind)) else ():
            _complete(item, *get_args(kind))
    elif is_typeddict(kind) and isinstance(value, dict):
        for name, field, optional in _fields(kind):
            if name in value:
                _complete(value[name], field)
            elif optional:
                value[name] = None


@cache
def _fields(kind: Any) -> list[tuple[str, Any, bool]]:
    """The fields that are optional or have fields of their own: name, type, and whether it may be None."""
    hints = get_type_hints(kind).items()
    fields = [(name, field, NoneType in get_args(field)) for name, field in hints]
    return [(name, field, optional) for name, field, optional in fields if optional or _has_fields(field)]


def _has_fields(kind: Any) -> bool:
    return is_typeddict(kind) or any(map(_has_fields, get_args(kind)))
