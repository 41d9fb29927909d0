"""Draws the paths of a strategy, round after round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from egrm_graph.clients.client import Client, Completion, add_usage, no_usage
from egrm_graph.drawing.calls import Limits, Lost, draw
from egrm_graph.drawing.samples import lost_reasons
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.strategies.strategy import Known, PathCall, PathStrategy, Round
from egrm_graph.verification import Path, Usage, View


@dataclass(frozen=True)
class DrawnPaths:
    """The paths, lost ones included."""

    paths: list[Path]
    views: list[View]
    """The views that they were drawn in."""
    view_of: list[int]
    """For each path, the index of its view."""
    usage: Usage
    reasons: list[Reason]
    """Why some are lost."""


async def draw_paths(
    client: Client,
    strategy: PathStrategy,
    known: Known,
    limits: Limits,
    landed: Callable[[int, Path], None] | None = None,
    *,
    unneeded: asyncio.Event | None = None,
) -> DrawnPaths:
    """The paths of the strategy. `landed` is called with each call's number and what came back, as soon as it does;
    setting `unneeded` cancels what still runs. Never raises an `EgrmError` for a failed call."""
    usage = no_usage()
    outcomes: list[Completion | Lost] = []
    while calls := strategy.next_calls(known):
        report = _reporter(known, calls, len(outcomes), landed)
        left = limits.less(usage["completion_tokens"])
        drawing = await draw(client, [call for call, _ in calls], left, report, unneeded=unneeded)
        usage = add_usage(usage, drawing.usage)
        outcomes += [outcome for each in drawing.outcomes for outcome in each]
        known = known.after(Round(calls, drawing.outcomes))
        if left.reached or (unneeded is not None and unneeded.is_set()):
            break
    found = strategy.paths(known)
    views: list[View] = []
    view_of: list[int] = []
    for _, view in found:
        index = next((i for i, other in enumerate(views) if other is view), len(views))
        views += [view] if index == len(views) else []
        view_of.append(index)
    reasons = lost_reasons(ReasonCode.PATHS_LOST, outcomes)
    return DrawnPaths([path for path, _ in found], views, view_of, usage, reasons)


def _reporter(
    known: Known, calls: Sequence[PathCall], first: int, landed: Callable[[int, Path], None] | None
) -> Callable[[int, Sequence[Completion | Lost]], None] | None:
    """Reports each call of a round whose first call has the number `first`."""
    if landed is None:
        return None

    def report(i: int, outcomes: Sequence[Completion | Lost]) -> None:
        landed(first + i, known.read(calls[i], outcomes[0]).path)

    return report
