"""How many paths are drawn at once, between two calls of a stopping rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from egrm_graph.verification import View


@dataclass(frozen=True)
class PathWave:
    """The paths of one wave."""

    views: tuple[View, ...]
    """Each view with its number of paths in this wave."""
    numbers: tuple[int, ...]
    """The place of each path among all that are planned, view after view. Its seed follows from it, so a path does not
    depend on the waves."""


def path_waves(views: Sequence[View], first: int, later: int, most: int | None = None) -> list[PathWave]:
    """The planned paths, cut into waves of at least `first` and then `later` paths. If there may be at most `most`
    waves, the last one has all the paths that are left.

    Every wave takes the views in turn, in whole rounds: no order of the candidates is ahead of another.
    """
    rounds = max((view["samples"] for view in views), default=0)
    waves: list[PathWave] = []
    start, size = 0, first
    while start < rounds:
        end, n = start, 0
        while end < rounds and (n < size or len(waves) + 1 == most):
            n += sum(view["samples"] > end for view in views)
            end += 1
        waves.append(_wave(views, start, end))
        start, size = end, later
    return waves


def _wave(views: Sequence[View], start: int, end: int) -> PathWave:
    """The rounds from `start` to before `end`."""
    cut = list(_cut(views, start, end))
    return PathWave(tuple(view for view, _ in cut), tuple(number for _, numbers in cut for number in numbers))


def _cut(views: Sequence[View], start: int, end: int) -> Iterator[tuple[View, range]]:
    offset = 0
    for view in views:
        planned = view["samples"]
        numbers = range(offset + min(start, planned), offset + min(end, planned))
        offset += planned
        if numbers:
            yield {**view, "samples": len(numbers)}, numbers
