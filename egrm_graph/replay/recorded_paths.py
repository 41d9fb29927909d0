"""Which recorded paths a run under other settings would have drawn: the loop of the graph, without its model calls."""

from __future__ import annotations

from collections.abc import Sequence

from egrm_graph.context import Run
from egrm_graph.drawing.calls import Limits, Lost
from egrm_graph.drawing.samples import lost_reasons
from egrm_graph.nodes.expand_cot import path_evidence, planned_waves
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.replay.recorded_trees import RegrownTree, is_lost
from egrm_graph.scoring.scorer import NO_SCORER
from egrm_graph.strategies.entropy_tree import EntropyTree
from egrm_graph.strategies.strategy import NODE, DrawsIndependently
from egrm_graph.verification import Asked, Path

PATH_CHANGES = ("path_stopping", "path_confidence", "paths", "first_paths", "later_paths")
"""The settings that say how many paths are drawn."""
MORE_PATHS = (
    "it would draw paths that are not among the {n} recorded ones; record with --path-stopping all and enough --paths"
)
OTHER_STRATEGY = (
    "only the strategies plain, breadth, and entropy_tree draw the same paths in other waves, and this run used {name}"
)


def paths_drawn(recorded: Sequence[Path], asked: Asked, contested: Sequence[str], run: Run) -> list[Path] | str:
    """The paths that the run draws, in its order; or why that is unknown.

    Raises:
        SettingsError: the stopping rule is unknown, or it needs a calibrated scorer.
    """
    strategy = run.parts.extensions.strategies.get(run.settings.strategy)
    if isinstance(strategy, EntropyTree):
        return _of_tree(recorded, asked, contested, run)
    if not (isinstance(strategy, DrawsIndependently) and strategy.independent):
        return OTHER_STRATEGY.format(name=run.settings.strategy)
    waves = planned_waves(asked, run, contested)
    planned = sum(len(wave.numbers) for wave in waves)
    evidence = path_evidence(asked, run, planned, Limits())
    known = {(path["request_id"], tuple(path["order"])): path for path in recorded}
    drawn: list[Path] = []
    for wave in waves:
        orders = [view["order"] for view in wave.views for _ in range(view["samples"])]
        for number, order in zip(wave.numbers, orders, strict=True):
            path = known.get((f"{asked['run_id']}.{NODE}.{number}", tuple(order)))
            if path is None:
                return MORE_PATHS.format(n=len(recorded))
            drawn.append(path)
            if len(wave.views) == 1 and evidence.enough(drawn):
                return drawn
        if evidence.enough(drawn):
            return drawn
    return drawn


def _of_tree(recorded: Sequence[Path], asked: Asked, contested: Sequence[str], run: Run) -> list[Path] | str:
    tree = RegrownTree(recorded, asked, run)
    if (unknown := tree.unknown()) is not None:
        return unknown
    waves = planned_waves(asked, run, contested)
    evidence = path_evidence(asked, run, sum(len(wave.numbers) for wave in waves), Limits())
    for wave in waves:
        before = len(tree.paths)
        if (unknown := tree.grow(wave, MORE_PATHS.format(n=len(recorded)))) is not None:
            return unknown
        if len(tree.paths) == before or evidence.enough(tree.paths):
            break
    return tree.paths


def path_reasons(paths: Sequence[Path], *, has_scorer: bool) -> list[Reason]:
    """Why some of these paths are lost, or have no score although there is a scorer."""
    lost = [Lost(path["error"] or "") if is_lost(path) else path for path in paths]
    unscored = [
        ReasonCode.PATH_UNSCORED.reason(index=i, cause=path["unscored"])
        for i, path in enumerate(paths)
        if has_scorer and path["answer"] is not None and path["unscored"] not in (None, NO_SCORER)
    ]
    return [*lost_reasons(ReasonCode.PATHS_LOST, lost), *unscored]
