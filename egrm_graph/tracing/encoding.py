"""Encode records as JSON, whatever values they contain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from egrm_graph.records.record import Record
from egrm_graph.tracing.run_summary import RunSummary, storable, summary_of


def encoded(record: Record) -> bytes:
    """Encode the record as one line of JSON in UTF-8.

    Values that JSON cannot represent are converted. An unpaired surrogate is escaped as `\\ud800`, a number that is not
    finite becomes null, and integers of more than 64 bits and other objects become text.

    Raises:
        RecursionError: The record contains itself.
    """
    import orjson

    try:
        return orjson.dumps(record, default=_plain)
    except TypeError:  # raised at the first such value, without calling `default`
        return orjson.dumps(_plain(record))


def decoded(data: bytes) -> Record:
    """Decode a record.

    Raises:
        ValueError: It is not JSON.
    """
    import orjson

    found: Record = orjson.loads(data)
    return found


def summary_in(data: bytes) -> RunSummary | None:
    """Summarize an encoded record. None if this package cannot read it."""
    try:
        return summary_of(decoded(data), len(data))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {storable(str(name)): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return int(value)
    return storable(str(value))
