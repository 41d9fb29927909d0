"""Answers that mean the same and still count as two votes."""

from tests.robustness.probes.equal_answers import outcome

__all__ = ["outcome"]
