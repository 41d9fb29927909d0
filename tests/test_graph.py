"""The full graph with a scripted client: the result of each course of events."""

from collections.abc import Sequence
from typing import Any

import pytest

from egrm_graph import Measure, RunSettings, Settings, Verification, build_graph
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.scoring.scorer import Scorer, Unscored
from egrm_graph.uncertainty.evidence import Evidence

RIGHT, WRONG = "17+48=65;65-9=56;#56", "17+48=66;66-9=57;#57"
GOOD_PATHS: list[Item] = [WRONG, RIGHT, WRONG, WRONG]


class TableScorer:
    """Looks up the score of a path in a table. Other paths are unscored."""

    name = "table"
    calibrated = False

    def __init__(self, scores: dict[str, float]) -> None:
        self.scores = scores

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        return [self.scores.get(path, Unscored("not in the table")) for path in paths]

    async def aclose(self) -> None: ...


SCORER = TableScorer({RIGHT: 0.9, WRONG: 0.2})


async def verify(
    fast: Sequence[Item], paths: Sequence[Item] = GOOD_PATHS, scorer: Scorer | None = SCORER, **settings: Any
) -> Verification:
    graph = build_graph(
        Settings(**{"preset": "published", "task": "arithmetic", **settings}),
        client=ScriptedClient(fast=fast, paths=paths),
        scorer=scorer,
    )
    verification: Verification = (await graph.ainvoke({"question": "17+48-9"}))["verification"]
    return verification


LOST = Fail("the server went away")


@pytest.mark.parametrize(
    ("fast", "route", "status", "answer", "value"),
    [
        (["56", "56", "56", "56", "56"], "direct", "ok", "56", 1.0),
        (["56", "56", "57", "56", "56"], "direct", "ok", "56", 0.8),
        (["57", "56", "57", "56", "57"], "reasoned", "ok", "56", 0.6),
        (["57", "57", "what?", "57", "57"], "direct", "ok", "57", 0.8),
        (["57", "what?", "57", "57", ""], "reasoned", "ok", "56", 0.6),
        (["?", "", "what", "#", "-"], "reasoned", "ok", "56", 0.0),
        (["57", "57", LOST, "57", "57"], "direct", "degraded", "57", 0.8),
        (["57", "57", LOST, LOST, "57"], "reasoned", "degraded", "56", 0.6),
        ([LOST] * 5, "reasoned", "degraded", "56", 0.0),
    ],
)
async def test_the_gate_chooses_the_route(fast: list[Item], route: str, status: str, answer: str, value: float) -> None:
    result = await verify(fast, stopping="all")
    assert (result["route"], result["status"], result["answer"]) == (route, status, answer)
    assert result["uncertainty"]["value"] == value
    assert result["uncertainty"]["samples"] == 5
    early = await verify(fast)
    assert (early["route"], early["status"], early["answer"]) == (route, status, answer)


async def test_a_run_without_any_answer_abstains_with_the_reasons() -> None:
    result = await verify([LOST] * 5, [LOST] * 4)
    assert (result["status"], result["answer"], result["best_path"], result["confidence"]) == (
        "abstained",
        None,
        None,
        None,
    )
    assert result["reasons"] == [
        "4 of 4 fast answers lost: the server went away",
        "4 of 4 paths lost: the server went away",
        "neither a fast answer nor a path gave an answer",
    ]
    assert [path["score"] for path in result["paths"]] == [None] * 4


async def test_if_the_server_dies_between_the_stages_the_fast_votes_decide() -> None:
    result = await verify(["57", "56", "57", "56", "57"], [LOST] * 4)
    assert (result["status"], result["answer"], result["confidence"]) == ("degraded", "57", 0.5)
    assert result["reasons"][0] == "4 of 4 paths lost: the server went away"


async def test_the_best_score_wins_over_the_majority() -> None:
    result = await verify(["57", "56", "57", "56", "57"])
    assert (result["best_path"], result["confidence"]) == (1, 0.9)
    assert [path["score"] for path in result["paths"]] == [0.2, 0.9, 0.2, 0.2]


async def test_the_result_says_whether_scores_are_calibrated() -> None:
    class Calibrated(TableScorer):
        calibrated = True

    table = {RIGHT: 0.9}
    for scorer, expected in ((TableScorer(table), False), (Calibrated(table), True), (None, None)):
        assert (await verify(["57", "56", "57", "56", "57"], scorer=scorer))["calibrated"] is expected
    assert (await verify(["56"] * 5))["calibrated"] is None  # nothing was scored


async def test_without_a_scorer_the_paths_vote_and_the_reason_says_so() -> None:
    result = await verify(["57", "56", "57", "56", "57"], scorer=None)
    assert (result["status"], result["answer"], result["best_path"], result["confidence"]) == ("ok", "57", None, 0.75)
    assert result["reasons"] == ["paths voted: the graph has no scorer"]
    assert {path["unscored"] for path in result["paths"]} == {"the graph has no scorer"}


async def test_a_path_that_cannot_be_scored_has_a_reason_and_never_wins() -> None:
    result = await verify(["57", "56", "57", "56", "57"], scorer=TableScorer({WRONG: 0.01}))
    assert (result["status"], result["answer"], result["best_path"]) == ("degraded", "57", 0)
    assert (result["paths"][1]["score"], result["paths"][1]["unscored"]) == (None, "not in the table")
    assert result["reasons"] == ["path 1 unscored: not in the table"]


async def test_if_the_scorer_fails_the_paths_vote() -> None:
    class Broken(TableScorer):
        async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
            raise SettingsError("out of memory")

    result = await verify(["57", "56", "57", "56", "57"], scorer=Broken({}))
    assert (result["status"], result["answer"]) == ("degraded", "57")
    assert result["reasons"] == ["the scorer failed: out of memory", "paths voted: none of them could be scored"]


async def test_the_same_seed_gives_the_same_output() -> None:
    first, second = [await verify(["57", "56", "57", "56", "57"]) for _ in range(2)]
    for result in (first, second):
        for sample in (*result["samples"], *result["paths"]):
            sample["request_id"] = sample["request_id"].removeprefix(result["run_id"])
        result["run_id"], result["timing_ms"] = "", {}
    assert first == second


async def test_no_two_samples_of_a_run_share_a_seed() -> None:
    result = await verify(["57", "56", "57", "56", "57"], stopping="all")
    seeds = [sample["seed"] for sample in (*result["samples"], *result["paths"])]
    assert len(set(seeds)) == 9


async def test_every_request_is_named_after_its_run_and_node() -> None:
    client = ScriptedClient(fast=["1", "2", "3", "4", "5"], paths=GOOD_PATHS)
    graph = build_graph(Settings(task="arithmetic"), client=client, scorer=None)
    result = (await graph.ainvoke({"question": "17+48-9"}))["verification"]
    names = ["answer_fast.0", *(f"expand_cot.{i}" for i in range(4))]
    assert [call.request_id for call in client.calls] == [f"{result['run_id']}.{name}" for name in names]


async def test_the_answer_is_compared_with_the_reference() -> None:
    graph = build_graph(Settings(task="arithmetic"), client=ScriptedClient(fast=["56"] * 5), scorer=None)
    for reference, correct in (("056", True), ("57", False), (None, None)):
        inputs: Any = {"question": "17+48-9"} | ({"reference": reference} if reference else {})
        assert (await graph.ainvoke(inputs))["verification"]["correct"] is correct


async def test_usage_and_timing_cover_every_stage() -> None:
    result = await verify(["1", "2", "3", "4", "5"])
    assert result["usage"]["requests"] == 5
    assert result["usage"]["completion_tokens"] == 4 + sum(len(str(text)) for text in GOOD_PATHS)
    nodes = ["answer_fast", "check_uncertainty", "expand_cot", "score_paths", "select_answer"]
    assert list(result["timing_ms"]) == nodes


@pytest.mark.parametrize("inputs", [{}, {"question": ""}, {"question": "why?"}, {"messages": []}, {"question": 7}])
async def test_bad_input_is_refused(inputs: Any) -> None:
    graph = build_graph(Settings(task="arithmetic"), client=ScriptedClient(fast=["56"] * 5), scorer=None)
    with pytest.raises(InputError):
        await graph.ainvoke(inputs)


def agreement_needs_logprobs(evidence: Evidence) -> float:
    return 1.0


NEEDY = Measure("needy", agreement_needs_logprobs, threshold=0.5, higher_is_certain=True, requires=("logprobs",))


def test_a_measure_that_needs_logprobs_is_refused_if_the_client_has_none() -> None:
    with pytest.raises(SettingsError, match="'needy' needs log-probabilities, and scripted gives none"):
        build_graph(Settings(measure="needy"), client=ScriptedClient(), scorer=None, measures=[NEEDY])
    client = ScriptedClient(labels={"A": -0.1})
    assert build_graph(Settings(measure="needy"), client=client, scorer=None, measures=[NEEDY])


def test_an_unknown_measure_is_refused_at_build_time() -> None:
    with pytest.raises(SettingsError, match="unknown measure 'entropy'; known are consensus, vote_entropy"):
        build_graph(Settings(measure="entropy"), client=ScriptedClient(), scorer=None)


async def test_a_custom_measure_decides_the_route() -> None:
    trusting = Measure("trusting", lambda evidence: 1.0, threshold=0.5, higher_is_certain=True)
    client = ScriptedClient(fast=["1", "2", "3", "4", "5"])
    graph = build_graph(
        Settings(task="arithmetic", measure="trusting"), client=client, scorer=None, measures=[trusting]
    )
    assert (await graph.ainvoke({"question": "1+0"}))["verification"]["route"] == "direct"


async def test_vote_entropy_opens_the_gate_at_four_of_five_votes() -> None:
    assert (await verify(["56", "56", "56", "56", "57"], measure="vote_entropy", threshold=None))["route"] == "direct"
    assert (await verify(["56", "56", "56", "57", "57"], measure="vote_entropy", threshold=None))["route"] == "reasoned"


async def test_a_run_overrides_settings_by_context_or_configurable() -> None:
    graph = build_graph(
        Settings(task="arithmetic"), client=ScriptedClient(fast=["56", "56", "56", "57", "57"], paths=GOOD_PATHS)
    )
    question: Any = {"question": "17+48-9"}
    assert (await graph.ainvoke(question))["verification"]["route"] == "reasoned"
    by_context = await graph.ainvoke(question, context=RunSettings(threshold=0.6))
    as_dict: Any = {"threshold": 0.6}
    by_dict = await graph.ainvoke(question, context=as_dict)
    by_config = await graph.ainvoke(question, {"configurable": {"egrm": {"threshold": 0.6}}})
    assert {out["verification"]["route"] for out in (by_context, by_dict, by_config)} == {"direct"}


@pytest.mark.parametrize("how", ["context", "configurable"])
async def test_an_unknown_override_names_the_nearest_setting(how: str) -> None:
    graph = build_graph(Settings(task="arithmetic"), client=ScriptedClient(fast=["56"] * 5), scorer=None)
    wrong = {"treshold": 0.6}
    override: Any = {"context": wrong} if how == "context" else {"config": {"configurable": {"egrm": wrong}}}
    with pytest.raises(ValueError, match="'treshold'; did you mean 'threshold'"):
        await graph.ainvoke({"question": "1+1"}, **override)
