"""Draws one wave of a strategy's paths, round after round."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from egrm_graph.clients.client import Client, add_usage, no_usage
from egrm_graph.drawing.calls import Limits, Lost, Outcomes, draw
from egrm_graph.drawing.samples import lost_reasons
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.strategies.path_evidence import PathEvidence
from egrm_graph.strategies.strategy import (
    DrawsIndependently,
    Known,
    Notes,
    PathCall,
    PathInView,
    PathStrategy,
    Round,
    one_completion,
)
from egrm_graph.verification import Path, Usage

PathLanded = Callable[[int, Path], None]


@dataclass(frozen=True)
class DrawnPaths:
    """The paths of a wave, lost ones included."""

    paths: list[PathInView]
    """Those that were scored while others were still drawn have their scores."""
    calls: int
    """How many calls for paths the wave made."""
    usage: Usage
    reasons: list[Reason]
    """Why some are lost, or have no score, and what is unusual about them."""
    limited: bool
    """Whether a limit of the run ended the wave."""


async def draw_paths(
    client: Client,
    strategy: PathStrategy,
    known: Known,
    limits: Limits,
    landed: PathLanded | None = None,
    *,
    evidence: PathEvidence | None = None,
    unneeded: asyncio.Event | None = None,
) -> DrawnPaths:
    """The paths of the strategy in one wave. Never raises an `EgrmError` for a failed call.

    `landed` is called with each call's number and what came back, as soon as it does; if all paths come from one
    completion, with each path's number. Setting `unneeded` cancels what still runs. With `evidence`, the paths of a
    strategy that `DrawsIndependently` are scored as they land, and once the first of them are enough, the calls after
    them are canceled.
    """
    judges = evidence is not None and isinstance(strategy, DrawsIndependently) and strategy.independent
    together = one_completion(strategy)
    usage = no_usage()
    scored: list[Path] = []
    reasons: list[Reason] = []
    n_calls = 0
    while calls := strategy.next_calls(known):
        judge = _Judge(known, calls, evidence, landed) if judges and evidence is not None else None
        left = limits.less(usage["completion_tokens"])
        drawing = await draw(
            client,
            [call for call, _ in calls],
            left,
            None if together or judge is not None else _reporter(known, calls, n_calls, landed),
            enough=None if judge is None else judge.enough,
            unneeded=unneeded,
        )
        usage = add_usage(usage, drawing.usage)
        asides = [bool(call.aside) for call in calls]
        n_calls += asides.count(False)
        if judge is not None:
            judge.report(drawing.outcomes)
            scored, reasons = judge.paths, judge.reasons
        known = known.after(Round(calls[: len(drawing.outcomes)], drawing.outcomes))
        if (left.reached and not all(asides)) or (unneeded is not None and unneeded.is_set()):
            break
    found = list(strategy.paths(known)) if known.rounds else []
    found[: len(scored)] = [PathInView(path, view) for path, (_, view) in zip(scored, found, strict=False)]
    outcomes = [
        (call, outcome)
        for each in known.rounds
        for call, of_call in zip(each.calls, each.outcomes, strict=True)
        for outcome in of_call
    ]
    drawn: list[object] = [outcome for call, outcome in outcomes if not call.aside]
    if together:
        drawn = [path if path["error"] is None else Lost(path["error"]) for path, _ in found]
        if landed is not None:
            for i, (path, _) in enumerate(found):
                landed(known.number(i), path)
    lost = lost_reasons(ReasonCode.PATHS_LOST, drawn)
    notes = strategy.notes(known) if isinstance(strategy, Notes) else ()
    return DrawnPaths(
        paths=found,
        calls=n_calls,
        usage=usage,
        reasons=[*lost, *reasons, *notes],
        limited=any(isinstance(outcome, Lost) and outcome.by_limit for _, outcome in outcomes),
    )


class _Judge:
    """Scores the paths of a round in the order of their seeds, while later ones are still drawn."""

    def __init__(
        self, known: Known, calls: Sequence[PathCall], evidence: PathEvidence, landed: PathLanded | None
    ) -> None:
        self.paths: list[Path] = []
        self.reasons: list[Reason] = []
        self._known = known
        self._calls = calls
        self._evidence = evidence
        self._report = _reporter(known, calls, 0, landed)
        self._reported = 0

    async def enough(self, ended: Sequence[Outcomes]) -> bool:
        """Whether these are enough, of which the last one is new."""
        self.report(ended)
        i = len(ended) - 1
        found = self._known.read(self._calls[i], ended[i][0])
        paths, reasons = await self._evidence.graded([found], len(self._known.scored) + i)
        self.paths += paths
        self.reasons += reasons
        return self._evidence.enough([*self._known.scored, *self.paths])

    def report(self, outcomes: Sequence[Outcomes]) -> None:
        """Reports the paths that have not been reported yet."""
        for i in range(self._reported, len(outcomes)):
            self._report(i, outcomes[i])
        self._reported = max(self._reported, len(outcomes))


def _reporter(
    known: Known, calls: Sequence[PathCall], before: int, landed: PathLanded | None
) -> Callable[[int, Outcomes], None]:
    """Reports each call for a path of a round after `before` other ones of the wave."""

    def report(i: int, outcomes: Outcomes) -> None:
        if landed is not None and not calls[i].aside:
            place = before + sum(not call.aside for call in calls[:i])
            landed(known.number(place), known.read(calls[i], outcomes[0]).path)

    return report
