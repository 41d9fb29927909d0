"""Deciding recorded runs again, with the recorded settings and with others."""

import asyncio
import io
import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from egrm_graph import Verification
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.records.privacy import redacted, without_texts
from egrm_graph.records.record import Record
from egrm_graph.replay.decide_again import as_recorded, decide_again
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.tracing.opening import open_store
from egrm_graph.tracing.store_reading import records
from egrm_graph.verification import Message
from egrm_graph.viewing.run_comparison import differences
from egrm_graph.viewing.run_page import page_of
from egrm_graph.viewing.run_text import show
from tests.tracing.memory_store import MemoryStore, recording_graph
from tests.tracing.records import path, record, verification

QUESTIONS = [f"{n // 10}+{n % 10}" for n in range(1000)]
PAIR = {"question": "1+1", "candidates": ["2", "3"]}
THRESHOLDS = (0.3, 0.6, 0.8, 1.0)


class ConstantScorer:
    """Gives every path the same calibrated score."""

    name = "sure"
    calibrated = True

    def __init__(self, score: float) -> None:
        self._score = score

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        return [self._score for _ in paths]

    async def aclose(self) -> None: ...


class RandomScorer:
    """Derives scores from the text alone."""

    name = "lottery"
    calibrated = False

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        numbers = [random.Random(path).random() for path in paths]
        return [Unscored("unlucky") if number < 0.1 else number for number in numbers]

    async def aclose(self) -> None: ...


def scripted() -> ScriptedClient:
    """A deterministic client. Fast answers agree on some questions only, paths disagree, and some calls fail."""

    def answer(prompt: Sequence[Message], seed: int, request_id: str) -> Item:
        chance = random.Random(seed)
        question = prompt[-1]["content"]
        spread = 1 + len(question) % 3
        if chance.random() < 0.03:
            return Fail("the server went away")
        if ".expand_cot." in request_id:
            return f"1+1=2;#{chance.randint(1, 4)} {chance.random()}".replace(" ", "") if chance.random() < 0.9 else "?"
        return str(chance.randint(1, spread)) if chance.random() < 0.9 else "?"

    return ScriptedClient(answer)


async def runs(n: int = 150, **settings: Any) -> list[tuple[Verification, Record]]:
    store = MemoryStore()
    graph = recording_graph(scripted(), store, RandomScorer(), **settings)
    verdict = await asyncio.gather(*(graph.ainvoke({"question": question}) for question in QUESTIONS[:n]))
    by_id = {record["run_id"]: record for record in store.records}
    return [(each["verification"], by_id[each["verification"]["run_id"]]) for each in verdict]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"trace_level": "summary"}, {"stopping": "all", "selection": "best_score"}])
async def test_the_recorded_settings_give_the_recorded_verdict(settings: dict[str, Any]) -> None:
    found = await runs(n=1000 if not settings else 150, **settings)
    assert len({verdict["route"] for verdict, _ in found}) == 2
    assert len({verdict["status"] for verdict, _ in found}) >= 2
    assert [decide_again(stored) for _, stored in found] == [as_recorded(verdict) for verdict, _ in found]


async def test_without_texts_route_and_winner_are_the_same() -> None:
    for verdict, stored in await runs(trace_texts=False):
        again, recorded = decide_again(stored), as_recorded(verdict)
        assert (again.route, again.status, again.best_path) == (recorded.route, recorded.status, recorded.best_path)
        assert stored["verification"] is not None
        assert again.answer == stored["verification"]["answer"]


@pytest.mark.slow
async def test_another_threshold_matches_a_fresh_run() -> None:
    """The runs record all fast answers and paths, so every decision is known."""
    complete = await runs(stopping="all", threshold=2.0)
    for threshold in THRESHOLDS:
        fresh = await runs(stopping="all", threshold=threshold)
        expected = [as_recorded(verdict) for verdict, _ in fresh]
        assert [decide_again(stored, {"threshold": threshold}) for _, stored in complete] == expected
        assert len({decision.route for decision in expected}) == 2


@pytest.mark.slow
@pytest.mark.parametrize("single", [False, True])
async def test_a_decision_on_a_run_that_stopped_early_matches_a_fresh_run(single: bool) -> None:
    fresh = {threshold: await runs(threshold=threshold, single_requests=single) for threshold in THRESHOLDS}
    for recorded_at, threshold in itertools.product(THRESHOLDS, THRESHOLDS):
        known = 0
        for (_, stored), (verdict, _) in zip(fresh[recorded_at], fresh[threshold], strict=True):
            again = decide_again(stored, {"threshold": threshold})
            if again.undecided is None:
                known += 1
                assert again == as_recorded(verdict) or again.partial
                assert (again.route, again.answer, again.best_path) == (
                    verdict["route"],
                    verdict["answer"],
                    verdict["best_path"],
                )
            else:
                assert again.route in (verdict["route"], None)
        assert 0 < known <= 150
        assert known == 150 or threshold != recorded_at


@pytest.mark.slow
async def test_another_rule_and_measure_match_a_fresh_run() -> None:
    complete = await runs(stopping="all", threshold=2.0)
    rules: list[dict[str, Any]] = [{"selection": "best_score"}, {"selection": "majority_best"}]
    for changes in rules:
        fresh = await runs(stopping="all", threshold=2.0, **changes)
        assert [decide_again(stored, changes) for _, stored in complete] == [
            as_recorded(verdict) for verdict, _ in fresh
        ]
    changes = {"measure": "vote_entropy", "threshold": None}
    fresh = await runs(stopping="all", **changes)
    assert [decide_again(stored, changes) for _, stored in complete] == [as_recorded(verdict) for verdict, _ in fresh]


@pytest.mark.parametrize("score", [0.05, 0.2, 0.5, 0.95])
async def test_another_minimum_confidence_matches_a_fresh_run(score: float) -> None:
    async def run(least: float | None) -> tuple[Verification, Record]:
        store, client = MemoryStore(), ScriptedClient(fast=["1", "2", "3", "1", "2"], paths=["1+1=2;#2"] * 4)
        graph = recording_graph(client, store, ConstantScorer(score), min_confidence=least)
        return (await graph.ainvoke({"question": "1+1"}))["verification"], store.records[0]

    for least in (None, 0.1, 0.9):
        verdict, stored = await run(least)
        assert verdict["best_guess"] == ("2" if least is not None and score < least else None)
        for other in (None, 0.1, 0.9):
            assert decide_again(stored, {"min_confidence": other}) == as_recorded((await run(other))[0])


def before_best_guess() -> Record:
    """A record from before answers could be withheld: low scores with status ok."""
    old: Any = record(verification=verification(confidence=0.02, paths=[path("42", 0.02, 0), path("32", 0.01, 1)]))
    del old["verification"]["best_guess"]
    return cast(Record, old)


@pytest.mark.parametrize("name", ["runs.db", "runs"])
def test_an_old_storedwithout_a_best_guess_is_decided_as_recorded(name: str, tmp_path: Path) -> None:
    store = open_store(tmp_path / name, None, None)
    store.put(before_best_guess())
    store.close()
    [old] = records(tmp_path / name)
    assert old["verification"] is not None
    assert decide_again(old) == as_recorded(old["verification"])
    withheld = decide_again(old, {"min_confidence": 0.5})
    assert (withheld.status, withheld.answer) == ("abstained", None)
    assert page_of([old])
    show(old, Console(file=io.StringIO()))
    assert not list(differences(old, old))
    for stored in (without_texts(old, str.__eq__), redacted(old, str.upper)):
        assert stored["verification"] is not None
        assert stored["verification"]["best_guess"] is None


async def test_judged_candidates_are_decided_again() -> None:
    store = MemoryStore()
    client = ScriptedClient(fast=["A", "B", "A", "A", "B", "A"], paths=["A", "B", "A", "B"])
    graph = recording_graph(client, store, task="pairwise", samples=6, threshold=1.0)
    verdict = (await graph.ainvoke(PAIR))["verification"]
    (stored,) = store.records
    assert decide_again(stored) == as_recorded(verdict)
    assert decide_again(stored, {"threshold": 0.1}).route == "direct"


def test_a_run_that_needs_more_draws_is_undecided() -> None:
    again = decide_again(record(), {"threshold": 0.5})
    assert (again.route, again.answer, again.undecided) == ("direct", "42", None)
    verdict = record()["verification"]
    assert verdict is not None
    direct: Any = {**verdict, "route": "direct", "paths": [], "best_path": None}
    again = decide_again(record(verification=direct), {"threshold": 0.8})
    assert (again.route, again.answer) == ("reasoned", None)
    assert again.undecided is not None
    assert "no paths were drawn" in again.undecided


def test_impossible_replays_are_errors() -> None:
    with pytest.raises(
        SettingsError, match="a replay cannot change samples, which affects what is drawn; change measure, threshold"
    ):
        decide_again(record(), {"samples": 7})
    with pytest.raises(SettingsError, match="unknown measure 'consenus'"):
        decide_again(record(), {"measure": "consenus"})
    with pytest.raises(InputError, match="has no verdict \\(cancelled\\)"):
        decide_again(record(verification=None, ending="cancelled"))
