"""Deciding recorded runs again under other rules for their paths: the same as fresh runs of the same model."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest

from egrm_graph import Verification
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.records.record import Record
from egrm_graph.replay.decide_again import as_recorded, decide_again
from egrm_graph.verification import Message
from tests import judges
from tests.replay.test_decide_again import RandomScorer
from tests.tracing.memory_store import MemoryStore, recording_graph

RULES: list[dict[str, Any]] = [
    {"path_stopping": "all", "paths": 8},
    {"path_stopping": "all", "paths": 3},
    {"path_stopping": "posterior", "paths": 8},
    {"path_stopping": "posterior", "paths": 8, "path_confidence": 0.7},
    {"path_stopping": "posterior", "paths": 8, "first_paths": 3, "later_paths": 2},
    {"path_stopping": "posterior", "paths": 5, "path_confidence": 0.99},
    {"path_stopping": "sequential", "paths": 6},
    {"path_stopping": "beta", "paths": 8, "later_paths": 4},
]


def scripted() -> ScriptedClient:
    """A deterministic client. Fast answers agree on some questions only, paths often do, and some calls fail."""

    def answer(prompt: Sequence[Message], seed: int, request_id: str) -> Item:
        chance = random.Random(seed)
        if chance.random() < 0.05:
            return Fail("the server went away")
        if ".expand_cot." in request_id:
            steps = f"{chance.randint(1, 999)}+1=2"  # scores follow from the text
            return f"{steps};#{chance.choice('1112')}" if chance.random() < 0.9 else "?"
        return str(chance.randint(1, 1 + len(prompt[-1]["content"]) % 3))

    return ScriptedClient(answer)


class Calibrated(RandomScorer):
    calibrated = True


async def answers(n: int = 40, **settings: Any) -> list[tuple[Verification, Record]]:
    return await recorded(scripted(), [{"question": f"{i}+1"} for i in range(n)], threshold=0.8, **settings)


async def verdicts(n: int = 15, **settings: Any) -> list[tuple[Verification, Record]]:
    pairs = [{"question": f"{i}+1", "candidates": ["2", f"{i}"]} for i in range(3, 3 + n)]
    client = ScriptedClient(judges.script(judges.noisy))
    return await recorded(client, pairs, task="pairwise", samples=6, threshold=2.0, **settings)


async def recorded(client: ScriptedClient, inputs: list[Any], **settings: Any) -> list[tuple[Verification, Record]]:
    store = MemoryStore()
    graph = recording_graph(client, store, Calibrated(), **settings)
    found = await asyncio.gather(*(graph.ainvoke(given) for given in inputs))
    by_id = {record["run_id"]: record for record in store.records}
    return [(each["verification"], by_id[each["verification"]["run_id"]]) for each in found]


@pytest.mark.parametrize("draw", [answers, verdicts])
async def test_the_recorded_rule_gives_the_recorded_verdict(draw: Any) -> None:
    stopped = 0
    for rule in RULES:
        for verdict, stored in await draw(**rule):
            assert decide_again(stored) == decide_again(stored, rule) == as_recorded(verdict)
            stopped += 0 < len(verdict["paths"]) < rule["paths"]
    assert stopped > 5


@pytest.mark.parametrize("draw", [answers, verdicts])
async def test_another_rule_matches_a_fresh_run_or_is_undecided(draw: Any) -> None:
    fresh = [await draw(**rule) for rule in RULES]
    for i, j in itertools.permutations(range(len(RULES)), 2):
        decided = 0
        for (_, stored), (verdict, _) in zip(fresh[i], fresh[j], strict=True):
            changes = {"first_paths": 1, "later_paths": 1, "path_confidence": 0.95, **RULES[j]}
            again = decide_again(stored, changes)
            if again.undecided is None:
                decided += 1
                assert again == as_recorded(verdict)
            else:
                assert "--path-stopping" in again.undecided
        assert decided > 0 or draw is verdicts
        if i == 0 and draw is answers:  # every path was drawn
            assert decided == len(fresh[i])


async def test_fewer_paths_of_candidates_have_other_seeds_so_they_are_undecided() -> None:
    (_, stored), *_ = await verdicts(n=1, path_stopping="all", paths=8)
    again = decide_again(stored, {"paths": 4})
    assert again.undecided is not None
    assert "not among the 8 recorded ones" in again.undecided


async def test_a_record_without_texts_is_decided_the_same() -> None:
    for verdict, stored in await answers(path_stopping="all", paths=8, trace_texts=False):
        fewer = decide_again(stored, {"path_stopping": "posterior"})
        assert fewer.route == verdict["route"]
        assert fewer.undecided is None


async def test_uncalibrated_scores_cannot_stop_a_replay() -> None:
    store = MemoryStore()
    graph = recording_graph(scripted(), store, RandomScorer(), threshold=2.0)
    await graph.ainvoke({"question": "7+1"})
    verdict = store.records[0]["verification"]
    assert verdict is not None
    assert any(path["score"] is not None for path in verdict["paths"])
    again = decide_again(store.records[0], {"path_stopping": "posterior"})
    assert again.undecided is not None
    assert "needs scores that are probabilities" in again.undecided
    assert decide_again(store.records[0], {"path_stopping": "sequential"}).undecided is None
    with pytest.raises(SettingsError, match="unknown stopping rule 'soon'"):
        decide_again(store.records[0], {"path_stopping": "soon"})
