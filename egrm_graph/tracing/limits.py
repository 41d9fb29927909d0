"""How much a store may hold."""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400.0


@dataclass(frozen=True)
class StoreLimits:
    """The largest age and size of a store. None means unlimited."""

    age_s: float | None = None
    bytes: float | None = None


@dataclass(frozen=True)
class Pruned:
    """What was deleted."""

    runs: int
    bytes: int


def limits_of(keep_days: float | None, keep_mb: float | None) -> StoreLimits:
    """Convert the settings to limits. A megabyte is a million bytes."""
    return StoreLimits(
        age_s=None if keep_days is None else keep_days * DAY_S, bytes=None if keep_mb is None else keep_mb * 1e6
    )
