"""Decides recorded runs again: with the settings of the record, and with others."""

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
from tests.tracing.kept import Kept, recording_graph
from tests.tracing.records import path, record, verification

QUESTIONS = [f"{n}+{n % 7}" for n in range(1000)]
PAIR = {"question": "1+1", "candidates": ["2", "3"]}
THRESHOLDS = (0.3, 0.6, 0.8, 1.0)


class Sure:
    """Gives every path the same score, which is calibrated."""

    name = "sure"
    calibrated = True

    def __init__(self, score: float) -> None:
        self._score = score

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        return [self._score for _ in paths]

    async def aclose(self) -> None: ...


class Lottery:
    """Scores that follow from the text alone."""

    name = "lottery"
    calibrated = False

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        numbers = [random.Random(path).random() for path in paths]
        return [Unscored("unlucky") if number < 0.1 else number for number in numbers]

    async def aclose(self) -> None: ...


def scripted() -> ScriptedClient:
    """Fast answers that agree for some questions and not for others, paths that do not, and now and then a failure;
    the same for every run."""

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
    store = Kept()
    graph = recording_graph(scripted(), store, Lottery(), **settings)
    told = await asyncio.gather(*(graph.ainvoke({"question": question}) for question in QUESTIONS[:n]))
    by_id = {record["run_id"]: record for record in store.records}
    return [(each["verification"], by_id[each["verification"]["run_id"]]) for each in told]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"trace_level": "summary"}, {"stopping": "all", "selection": "best_score"}])
async def test_the_recorded_settings_give_the_recorded_verdict(settings: dict[str, Any]) -> None:
    found = await runs(n=1000 if not settings else 150, **settings)
    assert len({told["route"] for told, _ in found}) == 2
    assert len({told["status"] for told, _ in found}) >= 2
    assert [decide_again(kept) for _, kept in found] == [as_recorded(told) for told, _ in found]


async def test_without_texts_route_and_winner_are_the_same() -> None:
    for told, kept in await runs(trace_texts=False):
        again, recorded = decide_again(kept), as_recorded(told)
        assert (again.route, again.status, again.best_path) == (recorded.route, recorded.status, recorded.best_path)
        assert kept["verification"] is not None
        assert again.answer == kept["verification"]["answer"]


@pytest.mark.slow
async def test_another_threshold_gives_what_a_fresh_run_gives() -> None:
    """Recorded with all fast answers and all paths, so that nothing is unknown."""
    whole = await runs(stopping="all", threshold=2.0)
    for threshold in THRESHOLDS:
        fresh = await runs(stopping="all", threshold=threshold)
        expected = [as_recorded(told) for told, _ in fresh]
        assert [decide_again(kept, {"threshold": threshold}) for _, kept in whole] == expected
        assert len({decision.route for decision in expected}) == 2


@pytest.mark.slow
@pytest.mark.parametrize("single", [False, True])
async def test_what_is_told_of_a_run_that_stopped_early_is_what_a_fresh_run_gives(single: bool) -> None:
    fresh = {threshold: await runs(threshold=threshold, single_requests=single) for threshold in THRESHOLDS}
    for recorded_at, threshold in itertools.product(THRESHOLDS, THRESHOLDS):
        known = 0
        for (_, kept), (told, _) in zip(fresh[recorded_at], fresh[threshold], strict=True):
            again = decide_again(kept, {"threshold": threshold})
            if again.undecided is None:
                known += 1
                assert again == as_recorded(told) or again.partial
                assert (again.route, again.answer, again.best_path) == (
                    told["route"],
                    told["answer"],
                    told["best_path"],
                )
            else:
                assert again.route in (told["route"], None)
        assert 0 < known <= 150
        assert known == 150 or threshold != recorded_at


async def test_another_rule_and_measure() -> None:
    whole = await runs(stopping="all", threshold=2.0)
    rules: list[dict[str, Any]] = [{"selection": "best_score"}, {"selection": "majority_best"}]
    for changes in rules:
        fresh = await runs(stopping="all", threshold=2.0, **changes)
        assert [decide_again(kept, changes) for _, kept in whole] == [as_recorded(told) for told, _ in fresh]
    changes = {"measure": "vote_entropy", "threshold": None}
    fresh = await runs(stopping="all", **changes)
    assert [decide_again(kept, changes) for _, kept in whole] == [as_recorded(told) for told, _ in fresh]


@pytest.mark.parametrize("score", [0.05, 0.2, 0.5, 0.95])
async def test_another_least_confidence_gives_what_a_fresh_run_gives(score: float) -> None:
    async def run(least: float | None) -> tuple[Verification, Record]:
        store, client = Kept(), ScriptedClient(fast=["1", "2", "3", "1", "2"], paths=["1+1=2;#2"] * 4)
        graph = recording_graph(client, store, Sure(score), min_confidence=least)
        return (await graph.ainvoke({"question": "1+1"}))["verification"], store.records[0]

    for least in (None, 0.1, 0.9):
        told, kept = await run(least)
        assert told["best_guess"] == ("2" if least is not None and score < least else None)
        for other in (None, 0.1, 0.9):
            assert decide_again(kept, {"min_confidence": other}) == as_recorded((await run(other))[0])


def before_best_guess() -> Record:
    """A record from before answers were withheld: its scores are low, and its status is ok."""
    old: Any = record(verification=verification(confidence=0.02, paths=[path("42", 0.02, 0), path("32", 0.01, 1)]))
    del old["verification"]["best_guess"]
    return cast(Record, old)


@pytest.mark.parametrize("name", ["runs.db", "runs"])
def test_a_record_without_a_best_guess_is_read_and_decided_as_it_was(name: str, tmp_path: Path) -> None:
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
    for kept in (without_texts(old, str.__eq__), redacted(old, str.upper)):
        assert kept["verification"] is not None
        assert kept["verification"]["best_guess"] is None


async def test_candidates() -> None:
    store = Kept()
    client = ScriptedClient(fast=["A", "B", "A", "A", "B", "A"], paths=["A", "B", "A", "B"])
    graph = recording_graph(client, store, task="pairwise", samples=6, threshold=1.0)
    told = (await graph.ainvoke(PAIR))["verification"]
    (kept,) = store.records
    assert decide_again(kept) == as_recorded(told)
    assert decide_again(kept, {"threshold": 0.1}).route == "direct"


def test_what_was_not_drawn_is_not_guessed() -> None:
    again = decide_again(record(), {"threshold": 0.5})
    assert (again.route, again.answer, again.undecided) == ("direct", "42", None)
    told = record()["verification"]
    assert told is not None
    direct: Any = {**told, "route": "direct", "paths": [], "best_path": None}
    again = decide_again(record(verification=direct), {"threshold": 0.8})
    assert (again.route, again.answer) == ("reasoned", None)
    assert again.undecided is not None
    assert "no paths were drawn" in again.undecided


def test_what_cannot_be_decided_again() -> None:
    with pytest.raises(SettingsError, match="samples would have drawn other answers; replay takes measure, threshold"):
        decide_again(record(), {"samples": 7})
    with pytest.raises(SettingsError, match="there is no measure 'consenus'"):
        decide_again(record(), {"measure": "consenus"})
    with pytest.raises(InputError, match="came to no verdict \\(cancelled\\)"):
        decide_again(record(verification=None, ending="cancelled"))
