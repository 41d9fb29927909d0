"""The paths of a tree may have a scorer of their own, also when only a run asks for a tree."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from egrm_graph import RunSettings, Settings, build_graph
from egrm_graph.errors import ModelError, SettingsError
from egrm_graph.parts import assemble
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.settings import BUNDLED_SCORER, BUNDLED_TREE_SCORER
from egrm_graph.tracing.opening import open_store
from egrm_graph.tracing.store_reading import records
from egrm_graph.verification import Verification

HARD: Any = {"question": "88+97-65+54-29"}
TREE = RunSettings(strategy="entropy_tree", anchor_entropy=0.1, paths=4, threshold=2.0)
PLAIN = RunSettings(strategy="plain", paths=2, threshold=2.0)


class Constant:
    """Gives every path the same score."""

    calibrated = False

    def __init__(self, name: str, score: float) -> None:
        self.name = name
        self._score = score

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        return [self._score for _ in paths]

    async def aclose(self) -> None: ...


def scores(verification: Verification) -> set[float]:
    return {path["score"] for path in verification["paths"] if path["score"] is not None}


async def test_a_run_that_grows_a_tree_uses_the_scorer_of_trees() -> None:
    graph = build_graph(Settings(), scorer=Constant("one", 0.25), tree_scorer=Constant("two", 0.75))
    assert scores((await graph.ainvoke(HARD, context=PLAIN))["verification"]) == {0.25}
    assert scores((await graph.ainvoke(HARD, context=TREE))["verification"]) == {0.75}


async def test_without_one_the_scorer_scores_trees_too() -> None:
    graph = build_graph(Settings(), scorer=Constant("one", 0.25))
    assert scores((await graph.ainvoke(HARD, context=TREE))["verification"]) == {0.25}


async def test_the_bundled_model_scores_trees_by_steps_and_stops_by_calibrated_products(tmp_path: Path) -> None:
    store = open_store(tmp_path / "runs.db", None, None)
    graph = build_graph(Settings(trace_level="full"), store=store)
    tree = (await graph.ainvoke(HARD, context=TREE))["verification"]
    plain = (await graph.ainvoke(HARD, context=PLAIN))["verification"]
    assert all(path["steps"] for path in tree["paths"] if path["score"] is not None)
    assert not any(path.get("steps") for path in plain["paths"])
    assert tree["calibrated"] is True
    store.close()
    used = {record["run_id"]: record["scorer"] for record in records(tmp_path / "runs.db")}
    assert used == {tree["run_id"]: BUNDLED_TREE_SCORER, plain["run_id"]: BUNDLED_SCORER}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (BUNDLED_SCORER, BUNDLED_TREE_SCORER)),
        ({"tree_scorer": None}, (BUNDLED_SCORER, BUNDLED_SCORER)),
        ({"scorer": None}, (None, None)),
        ({"scorer": str(bundled(BUNDLED_SCORER))}, (BUNDLED_SCORER, BUNDLED_SCORER)),
        (
            {"scorer": str(bundled(BUNDLED_SCORER)), "tree_scorer": str(bundled(BUNDLED_TREE_SCORER))},
            (BUNDLED_SCORER, BUNDLED_TREE_SCORER),
        ),
        ({"task": "pairwise"}, (BUNDLED_SCORER, BUNDLED_TREE_SCORER)),
    ],
)
async def test_which_scorers_the_settings_name(settings: dict[str, Any], expected: tuple[str | None, ...]) -> None:
    parts = assemble(Settings(**settings))
    found = [parts.scorer_name(parts.settings.overridden({"strategy": name})) for name in ("plain", "entropy_tree")]
    await parts.aclose()
    assert tuple(found) == expected


def test_a_folder_without_a_scorer_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)):
        assemble(Settings(tree_scorer=str(tmp_path)))


async def test_pruning_needs_a_scorer_of_steps_for_trees() -> None:
    graph = build_graph(Settings(), tree_scorer=Constant("two", 0.75))
    with pytest.raises(SettingsError, match="tree_scorer"):
        await graph.ainvoke(HARD, context=TREE.model_copy(update={"prune_below": 0.2}))
