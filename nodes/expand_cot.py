"""Draws the reasoning paths of a question whose fast answers did not converge, one wave each time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from egrm_graph.clients.client import add_usage, no_usage
from egrm_graph.context import Run
from egrm_graph.drawing.calls import Limits
from egrm_graph.state import Expanded, State
from egrm_graph.strategies.draw_paths import draw_paths
from egrm_graph.strategies.path_evidence import PathEvidence
from egrm_graph.strategies.path_waves import PathWave, path_waves
from egrm_graph.strategies.strategy import Known, PathInView, ReadsScores
from egrm_graph.uncertainty.stopping import everything
from egrm_graph.verification import Asked, Path, Usage, View

STEPS_OF_TWO_WAVES = 5
"""What LangGraph does after the last wave but one: score it, draw the last one, score that, decide, and end."""


async def expand_cot(state: State, run: Run) -> dict[str, Expanded]:
    """Draws the next wave of paths, or takes over the first one if it was drawn ahead."""
    started = time.perf_counter()
    drawn, expanded, scored = state["drawn"], state.get("expanded"), state.get("scored")

    def landed(i: int, path: Path) -> None:
        run.emit({"egrm": "sample", "node": "expand_cot", "i": i, **path})

    if expanded is not None and scored is not None:
        before: Expanded = {**expanded, "paths": scored["paths"]}
        expanded = before
    if expanded is None and (expanded := drawn["ahead"]) is not None:
        for i, path in enumerate(expanded["paths"]):
            landed(i, path)
    else:
        expanded = await draw_wave(
            run,
            state["asked"],
            no_paths() if expanded is None else expanded,
            contested=state["gated"]["uncertainty"]["contested"],
            spent=drawn["usage"],
            landed=landed,
            all_left=state.get("remaining_steps", STEPS_OF_TWO_WAVES) < STEPS_OF_TWO_WAVES,
        )
    return {"expanded": {**expanded, "ms": expanded["ms"] + (time.perf_counter() - started) * 1e3}}


def no_paths() -> Expanded:
    """The state before the first wave."""
    return Expanded(
        paths=[],
        views=[],
        view_of=[],
        waves=0,
        extra_calls=0,
        planned=0,
        ended=False,
        usage=no_usage(),
        ms=0.0,
        reasons=[],
    )


async def draw_wave(
    run: Run,
    asked: Asked,
    before: Expanded,
    *,
    contested: Sequence[str] = (),
    spent: Usage,
    landed: Callable[[int, Path], None] | None = None,
    all_left: bool = False,
    unneeded: asyncio.Event | None = None,
) -> Expanded:
    """The paths `before`, and those of the next wave. `spent` is the usage of earlier stages.

    A wave ends early once its first paths are enough, if each of them is drawn and judged on its own. With `all_left`,
    the wave has all the paths that are left. See `draw_paths` for `landed` and `unneeded`.
    """
    parts, settings, task = run.parts, run.settings, run.parts.task
    n_before = before["waves"]
    waves = planned_waves(asked, run, contested, most=n_before + 1 if all_left else None)
    planned, wave = sum(len(wave.numbers) for wave in waves), waves[n_before]
    known = Known(
        asked,
        wave.views,
        task,
        parts.prompts,
        settings,
        scored=before["paths"],
        numbers=wave.numbers,
        next_number=planned + before["extra_calls"],
    )
    limits = run.limits(asked["started_at"], spent, before["usage"])
    one_by_one = parts.path_stopping_rule(settings) is not everything and len(wave.views) == 1 and len(wave.numbers) > 1
    drawn = await draw_paths(
        run.client,
        parts.strategy(settings),
        known,
        limits,
        landed,
        evidence=path_evidence(asked, run, planned, limits) if one_by_one else None,
        unneeded=unneeded,
    )
    all_views, view_of = _numbered(drawn.paths, before)
    return Expanded(
        paths=[*before["paths"], *(path for path, _ in drawn.paths)],
        views=all_views,
        view_of=view_of,
        waves=n_before + 1,
        extra_calls=before["extra_calls"] + max(0, drawn.calls - len(wave.numbers)),
        planned=planned,
        ended=n_before + 1 >= len(waves) or drawn.calls == 0 or drawn.limited,
        usage=add_usage(before["usage"], drawn.usage),
        ms=before["ms"],
        reasons=[*before["reasons"], *drawn.reasons],
    )


def planned_waves(asked: Asked, run: Run, contested: Sequence[str], most: int | None = None) -> list[PathWave]:
    """The waves of paths if drawing does not stop early: one if nothing goes by what earlier waves brought. See
    `path_waves` for `most`."""
    parts, settings = run.parts, run.settings
    views = parts.task.views(asked, settings, parts.most_paths(settings), contested)
    strategy = parts.strategy(settings)
    scores_matter = isinstance(strategy, ReadsScores) and strategy.reads_scores(settings)
    if parts.path_stopping_rule(settings) is everything and not scores_matter:
        most = 1
    return path_waves(views, settings.first_paths, settings.later_paths, most)


def path_evidence(asked: Asked, run: Run, planned: int, limits: Limits) -> PathEvidence:
    """The scorer and the stopping rule of the run, for its paths."""
    parts, settings = run.parts, run.settings
    rule = parts.path_stopping_rule(settings)
    steps = parts.step_grading(settings)
    scorer = parts.path_scorer(settings)
    return PathEvidence(asked, parts.task, scorer, rule, planned, limits, settings.score_timeout_s, steps)


def _numbered(drawn: Sequence[PathInView], before: Expanded) -> tuple[list[View], list[int]]:
    """The views of all paths, and for each path the index of its view. The same view may have another number of paths
    in each wave."""
    views, view_of = list(before["views"]), list(before["view_of"])
    for _, view in drawn:
        same = (i for i, other in enumerate(views) if other is view or {**other, "samples": view["samples"]} == view)
        index = next(same, len(views))
        views += [view] if index == len(views) else []
        view_of.append(index)
    return views, view_of
