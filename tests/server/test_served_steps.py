"""The scores of steps behind a real vLLM server, against those of this process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from egrm_graph import Settings, build_graph
from egrm_graph.errors import ModelError
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.classifier import ClassifierScorer
from egrm_graph.scoring.remote import RemoteScorer
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.settings import BUNDLED_SCORER
from egrm_graph.steps.cutting import step_cutter
from tests.server.conftest import Served
from tests.server.test_served_scorer import here, scores_of, texts

__all__ = ["here"]  # a fixture

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

FOLDER = bundled(BUNDLED_SCORER)
CUT = step_cutter(";")


@pytest.fixture
async def by_step(real_step_scorer: Served) -> AsyncIterator[RemoteScorer]:
    scorer = RemoteScorer(FOLDER, [real_step_scorer.base_url])
    yield scorer
    await scorer.aclose()


async def step_scores_of(scorer: RemoteScorer | ClassifierScorer) -> list[list[float] | Unscored]:
    """The scores of the steps of all texts, with all questions at once."""
    results = await asyncio.gather(
        *(scorer.score_steps(question, paths, [CUT(path) for path in paths]) for question, paths in texts())
    )
    return [scores for of_question in results for scores in of_question]


async def test_every_score_of_a_step_equals_that_of_this_process(by_step: RemoteScorer, here: ClassifierScorer) -> None:
    expected, found = await step_scores_of(here), await step_scores_of(by_step)
    pairs: list[tuple[float, float]] = []
    for ours, theirs in zip(expected, found, strict=True):
        assert type(ours) is type(theirs)
        if not isinstance(ours, Unscored) and not isinstance(theirs, Unscored):
            pairs += zip(theirs, ours, strict=True)
    print(f"\n{len(pairs)} steps, largest difference {max(abs(a - b) for a, b in pairs):.1e}")
    assert len(pairs) >= 1900
    assert [pair for pair in pairs if abs(pair[0] - pair[1]) > 1e-3] == []
    assert {round(b) for _, b in pairs} == {0, 1}


async def test_a_server_of_step_scores_also_scores_full_paths(by_step: RemoteScorer, here: ClassifierScorer) -> None:
    expected, found = await scores_of(here), await scores_of(by_step)
    assert found == [pytest.approx(score, abs=1e-3) if isinstance(score, float) else score for score in expected]


async def test_a_server_of_full_paths_is_refused_with_the_command_that_serves_steps(real_scorer: Served) -> None:
    scorer = RemoteScorer(FOLDER, [real_scorer.base_url])
    with pytest.raises(ModelError) as caught:
        await scorer.score_steps("17+48", ["17+48=65;#65"], [[9, 12]])
    assert str(caught.value).startswith(
        f"'{BUNDLED_SCORER}' is not served so that it scores steps; serve it with `egrm serve-model {FOLDER} --steps` ("
    )
    assert isinstance((await scorer.score("17+48", ["#65"]))[0], float)
    await scorer.aclose()


async def test_a_process_scorer_on_a_server_of_full_paths_is_refused(real_scorer: Served, tmp_path: Path) -> None:
    folder = copytree(FOLDER, tmp_path / BUNDLED_SCORER)
    manifest = (folder / "egrm.json").read_text()
    (folder / "egrm.json").write_text(manifest.replace("{", '{"steps": ";",', 1))
    scorer = RemoteScorer(folder, [real_scorer.base_url])
    with pytest.raises(ModelError, match=rf"serve it with `egrm serve-model {folder}` \("):
        await scorer.score("17+48", ["#65"])
    await scorer.aclose()


async def test_a_run_grades_its_paths_by_steps_on_the_server(real_step_scorer: Served) -> None:
    question = "71+58-18-30+39"
    fixed: dict[str, Any] = {"steps": ";", "aggregation": "minimum", "paths": 3}
    served: dict[str, Any] = {"scorer_url": real_step_scorer.base_url}
    here, there = [
        (await build_graph(Settings(**fixed, **more)).ainvoke({"question": question}))["verification"]
        for more in ({}, served)
    ]
    assert there["route"] == "reasoned"
    assert [path["steps"] for path in there["paths"]] == [
        [{"end": step["end"], "score": pytest.approx(step["score"], abs=1e-3)} for step in path["steps"] or ()]
        for path in here["paths"]
    ]
    for path in there["paths"]:
        assert path["steps"] is not None
        assert path["score"] == min(step["score"] for step in path["steps"])
        assert path["steps"][-1]["end"] == len(path["text"] or "")
    assert there["calibrated"] is False
