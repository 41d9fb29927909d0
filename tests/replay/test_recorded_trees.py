"""Deciding recorded trees again under other settings: the same as fresh runs of the same model."""

import asyncio
import hashlib
import itertools
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from egrm_graph import Verification
from egrm_graph.records.privacy import summarized, without_texts
from egrm_graph.records.record import Record
from egrm_graph.replay.decide_again import as_recorded, decide_again
from egrm_graph.scoring.scorer import Unscored
from tests.replay.test_decide_again import RandomScorer
from tests.strategies.test_entropy_tree import TABLE, ByAnswer
from tests.strategies.token_model import TokenModel
from tests.tracing.memory_store import MemoryStore, recording_graph

RULES: list[dict[str, Any]] = [
    {"path_stopping": "all", "paths": 12},
    {"path_stopping": "all", "paths": 5},
    {"path_stopping": "all", "paths": 1},
    {"path_stopping": "posterior", "paths": 12},
    {"path_stopping": "posterior", "paths": 12, "path_confidence": 0.7},
    {"path_stopping": "posterior", "paths": 12, "first_paths": 3, "later_paths": 2},
    {"path_stopping": "posterior", "paths": 6, "path_confidence": 0.99, "later_paths": 3},
]
DEFAULTS: dict[str, Any] = {"first_paths": 1, "later_paths": 1, "path_confidence": 0.95}


class Calibrated(RandomScorer):
    calibrated = True


class LossyModel(TokenModel):
    """Some branches fail."""

    def __init__(self, salt: int) -> None:
        super().__init__(lambda text: letters(salt, text))
        self._salt = salt

    async def sample(self, prompt: Any, sampling: Any, **keywords: Any) -> Any:
        begins_with = sampling.begins_with
        if begins_with and random.Random(f"{self._salt} {begins_with}").random() < 0.05:
            self._fails = ["".join(map(chr, begins_with))]
        return await super().sample(prompt, sampling, **keywords)


def letters(salt: int, text: str) -> Mapping[str, float]:
    """The next letter of a text of eight letters and an answer, which is unsure at some places only."""
    chance = random.Random(hashlib.sha256(f"{salt} {text}".encode()).digest())
    if "#" in text:
        if len(text) > 9:
            return {"$": 1.0}
        return {"1": 0.5, "2": 0.3, "3": 0.2} if chance.random() < 0.3 else {chance.choice("123"): 1.0}
    if len(text) == 8:
        return {"#": 1.0}
    likely = chance.uniform(0.5, 0.9)
    return (
        {"a": likely, "b": (1 - likely) * 0.7, "c": (1 - likely) * 0.3}
        if chance.random() < (0.5 if salt % 2 else 0.1)
        else {"d": 1.0}
    )


async def grown(n: int = 10, *, scorer: Any = None, **settings: Any) -> list[tuple[Verification, Record]]:
    async def one(salt: int) -> tuple[Verification, Record]:
        store = MemoryStore()
        graph = recording_graph(LossyModel(salt), store, scorer, strategy="entropy_tree", **settings)
        verification = (await graph.ainvoke({"question": f"{salt}+1"}))["verification"]
        return verification, store.records[0]

    return await asyncio.gather(*(one(salt) for salt in range(n)))


@pytest.mark.parametrize(
    "order", ["first", *(pytest.param(order, marks=pytest.mark.slow) for order in ("entropy", "probability"))]
)
async def test_another_rule_matches_a_fresh_run_or_is_undecided(order: str) -> None:
    settings: dict[str, Any] = {"anchor_order": order, "anchor_alternatives": 2, "scorer": Calibrated()}
    fresh = [await grown(**{**DEFAULTS, **settings, **rule}) for rule in RULES]
    assert {len(verification["paths"]) for verification, _ in fresh[0]} > {12}
    assert {len(verification["paths"]) for verification, _ in fresh[3]} > {1}  # it stops early
    n_undecided = 0
    for i, j in itertools.product(range(len(RULES)), repeat=2):
        decided = 0
        for (_, stored), (verification, _) in zip(fresh[i], fresh[j], strict=True):
            again = decide_again(stored, {**DEFAULTS, **RULES[j]})
            if again.undecided is None:
                decided += 1
                assert again == as_recorded(verification)
            else:
                n_undecided += 1
                assert "not among the" in again.undecided
        assert decided > 0
        if i in (0, j) and RULES[j]["path_stopping"] == "all":  # the first paths of the same order
            assert decided == len(fresh[j])
    assert n_undecided > 0


class RandomSteps(Calibrated):
    """Derives the score of a step from the text up to its end."""

    async def score_steps(
        self, question: str, paths: Sequence[str], ends: Sequence[Sequence[int]]
    ) -> list[list[float] | Unscored]:
        return [[random.Random(text[:end]).random() for end in each] for text, each in zip(paths, ends, strict=True)]


@pytest.mark.parametrize("choice", [{"anchor_order": "score"}, {"prune_below": 0.3}], ids=str)
async def test_branches_that_go_by_the_scores_of_steps_match_a_fresh_run(choice: dict[str, Any]) -> None:
    """In a wave, only the steps of earlier waves have scores."""
    waves = [{"paths": 12}, {"paths": 5}, {"paths": 12, "later_paths": 3}, {"paths": 8, "first_paths": 4}]
    settings: dict[str, Any] = {"path_stopping": "all", "steps": "anchors", "aggregation": "minimum", **choice}
    settings |= {"min_confidence": None, "scorer": RandomSteps()}
    fresh = [await grown(**{**DEFAULTS, **settings, **rule}) for rule in waves]
    texts = [[[path["text"] for path in verification["paths"]] for verification, _ in each] for each in fresh]
    assert texts[0] != texts[2]  # the waves matter
    for i, j in itertools.product(range(len(waves)), repeat=2):
        decided = 0
        for (_, stored), (verification, _) in zip(fresh[i], fresh[j], strict=True):
            again = decide_again(stored, {**DEFAULTS, **waves[j]})
            if again.undecided is None:
                decided += 1
                assert again == as_recorded(verification)
            else:
                assert "not among the" in again.undecided
        assert decided == len(fresh[j]) if i == j else decided > 0


@pytest.mark.parametrize("reduce", [summarized, lambda record: without_texts(record, str.__eq__)])
async def test_a_record_without_texts_is_decided_the_same(reduce: Any) -> None:
    for scorer in (None, Calibrated()):
        for verification, stored in await grown(path_stopping="all", paths=12, scorer=scorer):
            again = decide_again(reduce(stored))
            assert (again.route, again.status, again.best_path, again.undecided) == (
                verification["route"],
                verification["status"],
                verification["best_path"],
                None,
            )
            fewer, full = decide_again(reduce(stored), {"paths": 5}), decide_again(stored, {"paths": 5})
            assert (fewer.undecided, fewer.best_path, fewer.status) == (None, full.best_path, full.status)


async def test_fewer_paths_without_a_scorer_have_the_weights_of_the_smaller_tree() -> None:
    """The leaf 1 has 0.7 and the two leaves 2 together 0.3, so as votes the answer would be 2."""
    table = {"": {"a": 0.7, "b": 0.3}, "a": {"#": 1.0}, "a#": {"1": 1.0}, "b": {"c": 0.5, "d": 0.5}}
    table |= {text: {"#": 1.0} for text in ("bc", "bd")} | {text: {"2": 1.0} for text in ("bc#", "bd#")}
    (three, stored), (two, _) = [await one_run(TokenModel(table), paths=paths) for paths in (3, 2)]
    assert [path["answer"] for path in three["paths"]] == ["1", "2", "2"]
    assert decide_again(stored) == as_recorded(three)
    again = decide_again(stored, {"paths": 2})
    assert again == as_recorded(two)
    assert again.answer == "1"


async def one_run(
    client: TokenModel | None = None, *, scorer: Any = None, **settings: Any
) -> tuple[Verification, Record]:
    store = MemoryStore()
    tree: dict[str, Any] = {"strategy": "entropy_tree", "path_stopping": "all", "threshold": 0.9, **settings}
    graph = recording_graph(client or TokenModel(TABLE), store, scorer, **tree)
    return (await graph.ainvoke({"question": "17+48"}))["verification"], store.records[0]


@pytest.mark.parametrize("rule", ["beta", "windows", "sequential"])
async def test_rules_that_count_votes_are_refused(rule: str) -> None:
    _, stored = await one_run(paths=4)
    again = decide_again(stored, {"path_stopping": rule})
    assert again.undecided == (
        f"path_stopping='{rule}' counts paths as votes, and the leaves of a tree are not independent; replay with "
        "'posterior' or 'all'"
    )


async def test_more_paths_than_the_tree_can_have_change_nothing() -> None:
    verification, stored = await one_run(paths=8)
    assert len(verification["paths"]) == 4
    assert decide_again(stored, {"paths": 64}) == as_recorded(verification)


async def test_a_branch_that_was_not_drawn_is_unknown() -> None:
    _, stored = await one_run(paths=3)
    again = decide_again(stored, {"paths": 4})
    assert again.undecided is not None
    assert "not among the 3 recorded ones" in again.undecided


async def test_branches_that_are_sampled_depend_on_their_order() -> None:
    verification, stored = await one_run(paths=4, branch_temperature=0.7)
    assert decide_again(stored, {"paths": 3}).undecided is None
    assert stored["verification"] is not None
    # Drawn at another place, a path has another seed.
    stored["verification"]["paths"][2]["request_id"] = f"{verification['run_id']}.expand_cot.7"
    again = decide_again(stored, {"paths": 3})
    assert again.undecided is not None
    assert "with branch_temperature=0.7, a branch that is drawn at another place" in again.undecided


class TwoSpellings(TokenModel):
    """Token `2` is written like token `1`."""

    def _continued(self, text: str, sampling: Any) -> Any:
        found = super()._continued(text, sampling)
        return type(found)(**{**vars(found), "text": found.text.replace("2", "1")})


async def test_a_leaf_that_repeats_another_one_is_not_lost() -> None:
    table = {
        "": {"1": 0.6, "2": 0.4},
        "1": {"#": 1.0},
        "2": {"#": 1.0},
        "1#": {"5": 0.6, "6": 0.4},
        "2#": {"5": 1.0},
    }
    verification, stored = await one_run(TwoSpellings(table), paths=3)
    assert [path["error"] is not None for path in verification["paths"]] == [False, True, False]
    fewer, _ = await one_run(TwoSpellings(table), paths=2)
    for record in (stored, summarized(stored), without_texts(stored, str.__eq__)):
        again = decide_again(record, {"paths": 2})
        assert (again.status, again.undecided) == (fewer["status"], None)
        assert again.status == "ok"
    assert decide_again(stored, {"paths": 2}) == as_recorded(fewer)


async def test_a_leaf_that_would_be_drawn_before_the_one_it_repeats_is_unknown() -> None:
    table = {
        "": {"a": 0.6, "b": 0.4},
        "a": {"c": 0.6, "d": 0.4},
        "acefg": {"h": 0.6, "i": 0.4},
        "ad": {"e": 0.6, "j": 0.4},
    }
    table |= {text: {text_after: 1.0} for text, text_after in (("ac", "e"), ("ace", "f"), ("acef", "g"))}
    for leaf, answer in (("acefgh", "5"), ("b", "7"), ("ade", "8"), ("acefgi", "6"), ("adj", "9")):
        table |= {leaf: {"#": 1.0}, f"{leaf}#": {answer: 1.0}}
    _, stored = await one_run(
        TokenModel(table), scorer=ByAnswer({}), paths=5, min_confidence=None, anchor_order="first"
    )
    assert stored["verification"] is not None
    paths = stored["verification"]["paths"]
    assert [path["answer"] for path in paths] == ["5", "7", "8", "6", "9"]
    one_by_one = {"path_stopping": "posterior", "first_paths": 1, "later_paths": 1, "paths": 4}
    assert decide_again(stored, one_by_one).undecided is None  # it draws 5, 7, 8, and 9
    paths[4]["text"], paths[4]["answer"] = paths[3]["text"], None
    paths[4]["error"] = "its text is that of path 3"
    for record in (stored, summarized(stored), without_texts(stored, str.__eq__)):
        again = decide_again(record, one_by_one)
        assert again.undecided is not None
        assert again.undecided.startswith("path 5 of the record repeats the text of an earlier one")
