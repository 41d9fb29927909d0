"""Compare two answers that mean the same but count as two votes."""

from tests.robustness.probes.equal_answers import outcome

__all__ = ["outcome"]
