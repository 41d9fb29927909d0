"""What a measure sees: everything drawn before the gate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from egrm_graph.uncertainty.votes import Votes, expected, ranked
from egrm_graph.verification import Reading, Sample

FLOOR_NATS = -100.0
"""Measures clip log-probabilities, log 0 included, at this value. A float32 cannot distinguish it from log 0, and a
mean has to stay finite."""


@dataclass(frozen=True)
class Evidence:
    """The fast answers of one run: samples, or readings of the labels' probabilities instead."""

    votes: Votes
    classes: tuple[int | None, ...] = ()
    """For each sample the index of its answer in `votes.answers`; None for a lost one."""
    samples: tuple[Sample, ...] = ()
    readings: tuple[Reading, ...] = ()


def evidence_of(samples: Sequence[Sample], readings: Sequence[Reading], same: Callable[[str, str], bool]) -> Evidence:
    """Groups equivalent answers. Readings give the expected votes."""
    if readings:
        votes = expected([(reading["probabilities"], reading["samples"]) for reading in readings])
        return Evidence(votes, readings=tuple(readings))
    votes, classes = ranked([sample["answer"] for sample in samples], same)
    return Evidence(votes, classes, samples=tuple(samples))
