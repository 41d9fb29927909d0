"""What may fail without the run that it watches."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class TelemetryWarning(RuntimeWarning):
    """Spans or metrics could not be told; the runs are not concerned."""


class Guard:
    """Runs work whose errors must not reach the run. The first is told by a warning, the others are not."""

    def __init__(self) -> None:
        self._told = False

    def __call__(self, work: Callable[[], Result]) -> Result | None:
        """What the work gives, or None where it fails."""
        try:
            return work()
        except Exception as error:
            self._tell(error)
            return None

    def _tell(self, error: Exception) -> None:
        if self._told:
            return
        self._told = True
        with contextlib.suppress(TelemetryWarning):  # where warnings are errors, this one still must not be
            warnings.warn(
                f"OpenTelemetry failed ({type(error).__name__}: {error}); runs go on, and their spans and metrics may "
                "be incomplete. This is said once.",
                TelemetryWarning,
                stacklevel=4,
            )
