"""Runs work that may fail without affecting the run that it observes."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class TelemetryWarning(RuntimeWarning):
    """Spans or metrics could not be recorded. The runs are not affected."""


class WarnOnce:
    """Runs work whose errors must not reach the run. Warns about the first error only."""

    def __init__(self) -> None:
        self._warned = False

    def __call__(self, work: Callable[[], _T]) -> _T | None:
        """The work's result, or None if it fails."""
        try:
            return work()
        except Exception as error:
            self._warn(error)
            return None

    def _warn(self, error: Exception) -> None:
        if self._warned:
            return
        self._warned = True
        with contextlib.suppress(TelemetryWarning):  # even if warnings are errors, this one must not be
            warnings.warn(
                f"OpenTelemetry failed ({type(error).__name__}: {error}); runs continue, but their spans and metrics "
                "may be incomplete. This warning appears once.",
                TelemetryWarning,
                stacklevel=4,
            )
