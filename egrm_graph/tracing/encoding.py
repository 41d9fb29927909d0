"""Records as bytes of JSON, whatever is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from egrm_graph.records.record import Record
from egrm_graph.tracing.run_summary import RunSummary, storable, summary_of


def encoded(record: Record) -> bytes:
    """One line of JSON in UTF-8. What JSON does not have is spelled out: half of a surrogate pair as `\\ud800`, a
    number that is not finite as null, one of more than 64 bits and an object of any other kind as its text.

    Raises:
        RecursionError: the record contains itself.
    """
    import orjson

    try:
        return orjson.dumps(record, default=_plain)
    except TypeError:  # it stops at the first such value, and does not ask
        return orjson.dumps(_plain(record))


def decoded(data: bytes) -> Record:
    """The record again.

    Raises:
        ValueError: it is not JSON.
    """
    import orjson

    found: Record = orjson.loads(data)
    return found


def summary_in(data: bytes) -> RunSummary | None:
    """Summarize an encoded record. None if this package cannot read it."""
    try:
        return summary_of(decoded(data), len(data))
    except (ValueError, KeyError, TypeError):
        return None


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {storable(str(name)): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return int(value)
    return storable(str(value))
