"""Trees of paths, on tables of next letters that can be worked by hand."""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from egrm_graph import RunSettings, Settings, Verification, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.settings import settings_from_environment
from egrm_graph.steps.tree import leaf_weights, open_branches
from egrm_graph.strategies.entropy_tree import chosen_branches
from egrm_graph.uncertainty.entropy import VOCABULARY_MOST
from egrm_graph.verification import Anchor, Path, PathStep
from tests import trees
from tests.strategies.token_model import TokenModel

QUESTION: Any = {"question": "17+48"}
TABLE = {
    "": {"x": 1.0},
    "x": {"1": 0.6, "2": 0.4},
    "x1": {"#": 1.0},
    "x1#": {"5": 0.7, "6": 0.3},
    "x2": {"#": 1.0},
    "x2#": {"7": 0.9, "8": 0.1},
}


class ByAnswer:
    """Gives the paths with these answers their scores, and others 0.01."""

    name = "by answer"
    calibrated = True

    def __init__(self, scores: Mapping[str, float]) -> None:
        self._scores = scores

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        return [self._scores.get(text.rpartition("#")[2], 0.01) for text in paths]

    async def aclose(self) -> None: ...


async def grow(model: TokenModel, *, scorer: Any = None, **settings: Any) -> Verification:
    settings = {
        "task": "arithmetic",
        "path_stopping": "all",
        "strategy": "entropy_tree",
        "anchor_entropy": 0.2,
    } | settings
    graph = build_graph(Settings(**settings), client=model, scorer=scorer)
    verification: Verification = (await graph.ainvoke(QUESTION))["verification"]
    return verification


def anchors(path: Path) -> list[Anchor]:
    branch = path.get("branch")
    assert branch is not None
    return branch["anchors"]


def texts(verification: Verification) -> list[str | None]:
    return [path["text"] for path in verification["paths"]]


def branches(paths: Sequence[Path]) -> list[tuple[int | None, int]]:
    return [(branch["parent"], branch["at"]) for path in paths if (branch := path.get("branch")) is not None]


def entropy(*shares: float) -> float:
    return -sum(share * math.log(share) for share in shares)


async def test_a_tree_branches_at_its_anchors_and_shares_what_comes_before() -> None:
    model = TokenModel(TABLE)
    verification = await grow(model, paths=4)
    assert texts(verification) == ["x1#5", "x2#7", "x1#6", "x2#8"]
    assert branches(verification["paths"]) == [(None, 0), (0, 1), (0, 3), (1, 3)]
    assert [begun for begun in model.begun if begun is not None] == ["", "x2", "x1#6", "x2#8"]
    assert leaf_weights(verification["paths"]) == pytest.approx([0.42, 0.36, 0.18, 0.04])


async def test_shared_tokens_count_once() -> None:
    verification = await grow(TokenModel(TABLE), paths=4)
    # Five for the first path with its end, and for each branch what comes after the other token.
    assert verification["usage"]["completion_tokens"] == 5 + 3 + 1 + 1 + 5  # five fast answers of one token


async def test_an_anchor_has_the_bounds_of_its_entropy_and_the_tokens_that_may_be_tried() -> None:
    verification = await grow(TokenModel(TABLE), paths=1)
    branch = verification["paths"][0].get("branch")
    assert branch is not None
    assert [(anchor["at"], anchor["end"]) for anchor in branch["anchors"]] == [(1, 1), (3, 3)]
    first = branch["anchors"][0]
    assert first["entropy"] == pytest.approx(entropy(0.6, 0.4))
    assert first["entropy_most"] == pytest.approx(first["entropy"], abs=1e-9)  # all tokens are known
    assert (first["taken"]["text"], [token["text"] for token in first["others"]]) == ("1", ["2"])


async def test_a_truncated_entropy_is_an_interval_and_its_lower_end_decides() -> None:
    table = {"": {"1": 0.5, "2": 0.3, "3": 0.2}}
    of_two = await grow(TokenModel(table, listed=2), paths=1, anchor_entropy=1.0)
    branch = of_two["paths"][0].get("branch")
    assert branch is not None
    [anchor] = branch["anchors"]
    assert anchor["entropy"] == pytest.approx(entropy(0.5, 0.3, 0.2))  # the rest counts as one token
    assert anchor["entropy_most"] == pytest.approx(anchor["entropy"] + 0.2 * math.log(VOCABULARY_MOST - 2))
    above = await grow(TokenModel(table, listed=2), paths=1, anchor_entropy=1.03)
    assert anchors(above["paths"][0]) == []


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("first", ["x1#5", "x2#7", "x1#6"]),
        ("entropy", ["x1#5", "x2#7", "x1#6"]),
        ("probability", ["x1#5", "x2#7", "x1#6"]),
    ],
)
async def test_orders_on_the_first_table(order: str, expected: list[str]) -> None:
    assert texts(await grow(TokenModel(TABLE), paths=3, anchor_order=order)) == expected


async def test_orders_differ_where_the_first_anchor_is_not_the_most_uncertain() -> None:
    table = {
        "": {"a": 0.8, "b": 0.2},
        "a": {"#": 1.0},
        "a#": {"1": 0.4, "2": 0.3, "3": 0.3},
        "b": {"#": 1.0},
        "b#": {"9": 1.0},
    }
    for order, second in {"first": "b#9", "entropy": "a#2", "probability": "a#2"}.items():
        assert texts(await grow(TokenModel(table), paths=2, anchor_order=order)) == ["a#1", second]


async def test_an_anchor_may_have_several_alternatives() -> None:
    table = {"": {"#": 1.0}, "#": {"1": 0.4, "2": 0.35, "3": 0.25}}
    one = await grow(TokenModel(table), paths=4)
    assert texts(one) == ["#1", "#2"]
    two = await grow(TokenModel(table), paths=4, anchor_alternatives=2)
    assert texts(two) == ["#1", "#2", "#3"]
    assert leaf_weights(two["paths"]) == pytest.approx([0.4, 0.35, 0.25])


async def test_a_tree_may_branch_at_its_first_token() -> None:
    verification = await grow(TokenModel({"": {"1": 0.6, "2": 0.4}, "1": {"#": 1.0}, "2": {"#": 1.0}}), paths=4)
    assert branches(verification["paths"]) == [(None, 0), (0, 0)]


async def test_without_an_anchor_the_tree_is_one_path() -> None:
    model = TokenModel(TABLE)
    verification = await grow(model, paths=8, anchor_entropy=1.0)
    assert texts(verification) == ["x1#5"]
    assert (verification["status"], verification["answer"]) == ("ok", "5")
    assert verification.get("reason_codes")[1] == "leaves_decided_without_scorer"  # type: ignore[index]
    assert verification.get("reason_codes")[0] == "no_anchor"  # type: ignore[index]
    assert "path 0 has no branches" in verification["reasons"][0]
    assert "threshold of 1 nats" in verification["reasons"][0]


async def test_one_path_that_is_all_one_asked_for_needs_no_anchor() -> None:
    verification = await grow(TokenModel(TABLE), paths=1, anchor_entropy=1.0)
    assert "no_anchor" not in verification.get("reason_codes", ())


async def test_a_tree_drawn_in_waves_says_once_that_it_has_no_anchor() -> None:
    verification = await grow(
        TokenModel(TABLE), scorer=ByAnswer({"5": 0.5}), path_stopping="posterior", anchor_entropy=1.0, paths=8
    )
    assert verification.get("reason_codes") == ["no_anchor"]
    assert (verification["status"], verification["answer"]) == ("ok", "5")


async def test_a_thousand_anchors_grow_no_more_paths_than_wanted() -> None:
    def table(text: str) -> Mapping[str, float]:
        if len(text) < 1000:
            return {"a": 0.6, "b": 0.4}
        return (
            {"#": 1.0}
            if not text.endswith("#") and "#" not in text
            else {"1": 1.0}
            if text.endswith("#")
            else {"$": 1.0}
        )

    verification = await grow(TokenModel(table), paths=64)
    assert len(verification["paths"]) == 64
    branch = verification["paths"][0].get("branch")
    assert branch is not None
    assert len(branch["anchors"]) == 256
    assert verification["status"] == "ok"
    assert verification["reasons"][0] == (
        "64 of 64 paths have over 256 anchors, up to 1,000; they branch at those of most entropy"
    )
    assert sum(leaf_weights(verification["paths"])) == pytest.approx(1.0)


async def test_a_quantile_compares_a_token_with_those_of_its_path() -> None:
    # Entropies of the first path: 0, 0.67, 0, 0.61, 0.
    all_above = await grow(TokenModel(TABLE), paths=1, anchor_entropy=0.0, anchor_quantile=0.6)
    highest = await grow(TokenModel(TABLE), paths=1, anchor_entropy=0.0, anchor_quantile=0.8)
    found = [[anchor["at"] for anchor in anchors(each["paths"][0])] for each in (all_above, highest)]
    assert found == [[1, 3], [1]]


async def test_only_tokens_that_match_a_pattern_are_anchors() -> None:
    verification = await grow(TokenModel(TABLE), paths=8, anchor_pattern=r"[5-9]")
    assert texts(verification) == ["x1#5", "x1#6"]


def test_a_pattern_has_to_be_a_regular_expression() -> None:
    with pytest.raises(SettingsError, match=r"anchor_pattern='\[': this is not a regular expression"):
        settings_from_environment(anchor_pattern="[")


async def test_exempt_tokens_are_not_anchors() -> None:
    verification = await grow(TokenModel(TABLE), paths=8, anchor_exempt=("1",))
    assert texts(verification) == ["x1#5", "x1#6"]


@pytest.mark.parametrize(("leaf_prior", "answer"), [(0.0, "7"), (0.2, "7"), (1.0, "5")])
async def test_a_leaf_that_the_model_would_rarely_write_needs_a_better_score(leaf_prior: float, answer: str) -> None:
    """The leaves have 0.42 and 0.36 of the probability: 0.5 times 0.42 is more than 0.55 times 0.36."""
    verification = await grow(TokenModel(TABLE), scorer=ByAnswer({"5": 0.5, "7": 0.55}), leaf_prior=leaf_prior)
    assert verification["answer"] == answer
    assert verification["confidence"] == {"5": 0.5, "7": 0.55}[answer]


async def test_a_lost_branch_is_reported_and_not_tried_again() -> None:
    model = TokenModel(TABLE, fails=["x2"])
    verification = await grow(model, paths=4)
    assert texts(verification) == ["x1#5", None, "x1#6"]
    assert verification["reasons"][0] == "1 of 3 paths lost: no text begins with 'x2'"
    assert verification["status"] == "degraded"
    assert model.begun.count("x2") == 1


async def test_equal_leaves_count_once() -> None:
    class TwoSpellings(TokenModel):
        """Token `2` is written like token `1`."""

        def _continued(self, text: str, sampling: Any) -> Any:
            found = super()._continued(text, sampling)
            return type(found)(**{**vars(found), "text": found.text.replace("2", "1")})

    verification = await grow(
        TwoSpellings({"": {"1": 0.6, "2": 0.4}, "1": {"#": 1.0}, "2": {"#": 1.0}, "1#": {"5": 1.0}, "2#": {"5": 1.0}}),
        paths=2,
    )
    assert texts(verification) == ["1#5", "1#5"]
    assert verification["paths"][1]["answer"] is None
    assert verification["paths"][1]["error"] == "its text is that of path 0, which counts for both"
    assert verification["answer"] == "5"


async def test_without_a_scorer_leaves_count_by_their_probability() -> None:
    table = {
        "": {"#": 1.0},
        "#": {"1": 0.6, "2": 0.4},
        "#2": {"0": 0.5, "$": 0.5},
    }
    verification = await grow(TokenModel(table), paths=3)
    assert sorted(path["answer"] or "" for path in verification["paths"]) == ["1", "20"]
    # As votes, unlikely leaves would win.
    table = {"": {"a": 0.7, "b": 0.3}, "a": {"#": 1.0}, "a#": {"1": 1.0}, "b": {"c": 0.5, "d": 0.5}}
    table |= {text: {"#": 1.0} for text in ("bc", "bd")} | {text: {"2": 1.0} for text in ("bc#", "bd#")}
    verification = await grow(TokenModel(table), paths=3)
    assert [path["answer"] for path in verification["paths"]] == ["1", "2", "2"]
    assert verification["answer"] == "1"
    assert verification["confidence"] == pytest.approx(0.7)


async def test_a_sure_scorer_stops_further_branches() -> None:
    model = TokenModel(TABLE)
    settings: dict[str, Any] = {"paths": 8, "path_stopping": "posterior", "first_paths": 1, "later_paths": 1}
    sure = await grow(model, scorer=ByAnswer({"5": 0.97}), **settings)
    assert texts(sure) == ["x1#5"]
    later = await grow(TokenModel(TABLE), scorer=ByAnswer({"5": 0.5, "7": 0.99}), **settings)
    assert texts(later) == ["x1#5", "x2#7"]
    unsure = await grow(TokenModel(TABLE), scorer=ByAnswer({}), min_confidence=None, **settings)
    assert sorted(filter(None, texts(unsure))) == ["x1#5", "x1#6", "x2#7", "x2#8"]


async def test_waves_grow_the_tree_that_one_wave_grows() -> None:
    one = await grow(TokenModel(TABLE), paths=4)
    settings: dict[str, Any] = {
        "path_stopping": "posterior",
        "first_paths": 1,
        "later_paths": 1,
        "min_confidence": None,
    }
    waves = await grow(TokenModel(TABLE), scorer=ByAnswer({}), paths=4, **settings)
    assert set(texts(waves)) == set(texts(one))
    weights = dict(zip(texts(waves), leaf_weights(waves["paths"]), strict=True))
    assert weights == pytest.approx(dict(zip(texts(one), leaf_weights(one["paths"]), strict=True)))


async def test_a_deadline_between_rounds_keeps_what_was_drawn() -> None:
    model = TokenModel(TABLE)
    model.stalls = asyncio.Event()
    verification = await grow(model, paths=4, deadline_s=0.3)
    assert texts(verification) == ["x1#5", None]
    assert verification["answer"] == "5"
    assert verification["status"] == "degraded"
    assert any("deadline" in reason for reason in verification["reasons"])


async def test_a_canceled_run_leaves_no_call_behind() -> None:
    model = TokenModel(TABLE)
    model.stalls = asyncio.Event()
    running = asyncio.ensure_future(grow(model, paths=4))
    while "x2" not in model.begun:
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(asyncio.all_tasks()) == 1


async def test_a_killed_run_resumes_without_drawing_again() -> None:
    model, saver = TokenModel(TABLE), InMemorySaver()
    settings: dict[str, Any] = {"task": "arithmetic", "strategy": "entropy_tree", "paths": 4, "min_confidence": None}
    graph = build_graph(Settings(**settings), client=model, scorer=ByAnswer({}), checkpointer=saver)
    config: Any = {"configurable": {"thread_id": "1"}}
    async for event in graph.astream(QUESTION, config, stream_mode="updates"):
        if "score_paths" in event and len(event["score_paths"]["scored"]["paths"]) == 2:
            break
    assert json.dumps((await graph.aget_state(config)).values["expanded"])
    verification = (await graph.ainvoke(None, config))["verification"]
    assert sorted(filter(None, texts(verification))) == ["x1#5", "x1#6", "x2#7", "x2#8"]
    begun = [text for text in model.begun if text is not None]
    assert len(begun) == len(set(begun))


async def test_open_branches_are_those_not_tried() -> None:
    verification = await grow(TokenModel(TABLE), paths=2)
    left = open_branches(verification["paths"])
    assert [(branch.parent, branch.anchor["at"], branch.token["text"]) for branch in left] == [(0, 3, "6"), (1, 3, "8")]
    assert [branch.weight for branch in left] == pytest.approx([0.18, 0.04])


def test_a_client_that_cannot_continue_tokens_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"'entropy_tree' continues paths from token ids, and scripted does not"):
        build_graph(
            Settings(strategy="entropy_tree", task="arithmetic"), client=ScriptedClient(fast=["1"]), scorer=None
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "pairwise"}, "draws leaves of a tree, which are not votes"),
        ({"top_logprobs": 1}, "top_logprobs=1 shows no other token to branch to"),
        ({"path_stopping": "beta"}, "path_stopping='beta' counts paths as votes"),
    ],
)
def test_settings_that_do_not_go_with_a_tree_are_refused(settings: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"task": "arithmetic", "strategy": "entropy_tree"} | settings
    with pytest.raises(SettingsError, match=message):
        build_graph(Settings(**given), client=TokenModel(TABLE), scorer=None)


async def test_a_server_that_lists_one_token_gives_one_path() -> None:
    verification = await grow(TokenModel(TABLE, listed=1), paths=4)
    assert texts(verification) == ["x1#5"]


class StepByStep(ByAnswer):
    """Scores the steps of a path, which end at `#`: those with `2` in them get 0.1, others 0.9."""

    steps = "#"

    async def score_steps(
        self, question: str, paths: Sequence[str], ends: Sequence[Sequence[int]]
    ) -> list[list[float] | Unscored]:
        return [[0.1 if "2" in text[:end] else 0.9 for end in places] for text, places in zip(paths, ends, strict=True)]


STEPWISE: dict[str, Any] = {"paths": 4, "steps": "anchors", "aggregation": "minimum", "min_confidence": None}


async def test_nothing_branches_after_a_step_with_a_low_score() -> None:
    everywhere = await grow(TokenModel(TABLE), scorer=StepByStep({}), **STEPWISE)
    assert texts(everywhere) == ["x1#5", "x2#7", "x1#6", "x2#8"]
    pruned = await grow(TokenModel(TABLE), scorer=StepByStep({}), prune_below=0.2, **STEPWISE)
    assert texts(pruned) == ["x1#5", "x2#7", "x1#6"]  # the first step of x2#7 ends at its anchor
    assert pruned["usage"]["completion_tokens"] < everywhere["usage"]["completion_tokens"]


async def test_best_first_search_branches_after_the_best_steps() -> None:
    table = TABLE | {"x1": {"#": 0.6, "0": 0.4}}

    class Second(StepByStep):
        """Steps with `#` score best."""

        async def score_steps(
            self, question: str, paths: Sequence[str], ends: Sequence[Sequence[int]]
        ) -> list[list[float] | Unscored]:
            marks = [[text[:end] for end in places] for text, places in zip(paths, ends, strict=True)]
            return [[0.5 if text == "x" else 0.4 for text in each] for each in marks]

    by_place = await grow(TokenModel(table), scorer=Second({}), **STEPWISE | {"paths": 2})
    assert texts(by_place) == ["x1#5", "x2#7"]
    best = await grow(TokenModel(table), scorer=Second({}), anchor_order="score", **STEPWISE | {"paths": 3})
    assert texts(best)[1] == "x2#7"  # after x, which scored best


async def test_steps_end_at_anchors() -> None:
    verification = await grow(TokenModel(TABLE), scorer=StepByStep({}), **STEPWISE)
    steps = [[(step["end"], step["score"]) for step in path.get("steps") or ()] for path in verification["paths"]]
    assert steps == [
        [(1, 0.9), (3, 0.9), (4, 0.9)],
        [(1, 0.9), (3, 0.1), (4, 0.1)],
        [(1, 0.9), (3, 0.9), (4, 0.9)],
        [(1, 0.9), (3, 0.1), (4, 0.1)],
    ]


def test_pruning_without_step_scores_is_refused() -> None:
    settings = Settings(task="arithmetic", strategy="entropy_tree", prune_below=0.2)
    with pytest.raises(SettingsError, match=r"prune_below=0\.2 goes by the scores of steps, and none are scored"):
        build_graph(settings, client=TokenModel(TABLE), scorer=ByAnswer({}))


def test_a_missing_score_neither_cuts_a_branch_nor_puts_it_first() -> None:
    four = trees.four_leaves()[:2]
    four[0]["steps"] = None
    four[1]["steps"] = [PathStep(end=3, score=0.1), PathStep(end=4, score=0.1)]
    settings = RunSettings(anchor_order="score")
    assert [branch.parent for branch in chosen_branches(four, {0, 1}, settings)] == [1, 0]
    pruned = chosen_branches(four, {0, 1}, settings.overridden({"prune_below": 0.2}))
    assert [branch.parent for branch in pruned] == [0]
