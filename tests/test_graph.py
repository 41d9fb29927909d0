"""The whole graph, on a client that answers from a script: what each turn of events leads to."""

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


class LengthScorer:
    """Scores a path by a table of texts; what is not in it is unscored."""

    name = "table"
    calibrated = False

    def __init__(self, scores: dict[str, float]) -> None:
        self.scores = scores

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        return [self.scores.get(path, Unscored("not in the table")) for path in paths]

    async def aclose(self) -> None: ...


SCORER = LengthScorer({RIGHT: 0.9, WRONG: 0.2})


async def verify(
    fast: Sequence[Item], paths: Sequence[Item] = GOOD_PATHS, scorer: Scorer | None = SCORER, **settings: Any
) -> Verification:
    graph = build_graph(
        Settings(task="arithmetic", **settings), client=ScriptedClient(fast=fast, paths=paths), scorer=scorer
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
async def test_the_gate(fast: list[Item], route: str, status: str, answer: str, value: float) -> None:
    told = await verify(fast, stopping="all")
    assert (told["route"], told["status"], told["answer"]) == (route, status, answer)
    assert told["uncertainty"]["value"] == value
    assert told["uncertainty"]["samples"] == 5
    early = await verify(fast)
    assert (early["route"], early["status"], early["answer"]) == (route, status, answer)


async def test_all_failed_abstains_with_the_reason() -> None:
    told = await verify([LOST] * 5, [LOST] * 4)
    assert (told["status"], told["answer"], told["best_path"], told["confidence"]) == ("abstained", None, None, None)
    assert told["reasons"] == [
        "4 of 4 fast answers lost: the server went away",
        "4 of 4 paths lost: the server went away",
        "neither a fast answer nor a path gave an answer",
    ]
    assert [path["score"] for path in told["paths"]] == [None] * 4


async def test_a_server_that_dies_between_the_stages_leaves_the_fast_votes_degraded() -> None:
    told = await verify(["57", "56", "57", "56", "57"], [LOST] * 4)
    assert (told["status"], told["answer"], told["confidence"]) == ("degraded", "57", 0.5)
    assert told["reasons"][0] == "4 of 4 paths lost: the server went away"


async def test_the_best_score_decides_over_the_majority() -> None:
    told = await verify(["57", "56", "57", "56", "57"])
    assert (told["best_path"], told["confidence"]) == (1, 0.9)
    assert [path["score"] for path in told["paths"]] == [0.2, 0.9, 0.2, 0.2]


async def test_scores_that_are_not_calibrated_are_told_to_be_so() -> None:
    class Calibrated(LengthScorer):
        calibrated = True

    table = {RIGHT: 0.9}
    for scorer, told in ((LengthScorer(table), False), (Calibrated(table), True), (None, None)):
        assert (await verify(["57", "56", "57", "56", "57"], scorer=scorer))["calibrated"] is told
    assert (await verify(["56"] * 5))["calibrated"] is None  # nothing was scored


async def test_without_a_scorer_the_paths_vote_and_the_output_says_so() -> None:
    told = await verify(["57", "56", "57", "56", "57"], scorer=None)
    assert (told["status"], told["answer"], told["best_path"], told["confidence"]) == ("ok", "57", None, 0.75)
    assert told["reasons"] == ["paths voted: the graph has no scorer"]
    assert {path["unscored"] for path in told["paths"]} == {"the graph has no scorer"}


async def test_a_path_that_cannot_be_scored_is_none_with_its_reason_and_never_wins() -> None:
    told = await verify(["57", "56", "57", "56", "57"], scorer=LengthScorer({WRONG: 0.01}))
    assert (told["status"], told["answer"], told["best_path"]) == ("degraded", "57", 0)
    assert (told["paths"][1]["score"], told["paths"][1]["unscored"]) == (None, "not in the table")
    assert told["reasons"] == ["path 1 unscored: not in the table"]


async def test_a_scorer_that_fails_leaves_the_vote_degraded() -> None:
    class Broken(LengthScorer):
        async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
            raise SettingsError("out of memory")

    told = await verify(["57", "56", "57", "56", "57"], scorer=Broken({}))
    assert (told["status"], told["answer"]) == ("degraded", "57")
    assert told["reasons"] == ["the scorer failed: out of memory", "paths voted: none of them could be scored"]


async def test_the_same_seed_twice_gives_the_same_output() -> None:
    first, second = [await verify(["57", "56", "57", "56", "57"]) for _ in range(2)]
    for told in (first, second):
        for sample in (*told["samples"], *told["paths"]):
            sample["request_id"] = sample["request_id"].removeprefix(told["run_id"])
        told["run_id"], told["timing_ms"] = "", {}
    assert first == second


async def test_no_two_samples_of_a_run_share_a_seed() -> None:
    told = await verify(["57", "56", "57", "56", "57"], stopping="all")
    seeds = [sample["seed"] for sample in (*told["samples"], *told["paths"])]
    assert len(set(seeds)) == 9


async def test_every_request_is_named_after_its_run_and_node() -> None:
    client = ScriptedClient(fast=["1", "2", "3", "4", "5"], paths=GOOD_PATHS)
    graph = build_graph(Settings(task="arithmetic"), client=client, scorer=None)
    told = (await graph.ainvoke({"question": "17+48-9"}))["verification"]
    names = ["answer_fast.0", *(f"expand_cot.{i}" for i in range(4))]
    assert [call.request_id for call in client.calls] == [f"{told['run_id']}.{name}" for name in names]


async def test_the_reference_tells_whether_the_answer_is_correct() -> None:
    graph = build_graph(Settings(task="arithmetic"), client=ScriptedClient(fast=["56"] * 5), scorer=None)
    for reference, correct in (("056", True), ("57", False), (None, None)):
        given: Any = {"question": "17+48-9"} | ({"reference": reference} if reference else {})
        assert (await graph.ainvoke(given))["verification"]["correct"] is correct


async def test_usage_and_timing_cover_every_stage() -> None:
    told = await verify(["1", "2", "3", "4", "5"])
    assert told["usage"]["requests"] == 5
    assert told["usage"]["completion_tokens"] == 4 + sum(len(str(text)) for text in GOOD_PATHS)
    nodes = ["answer_fast", "check_uncertainty", "expand_cot", "score_paths", "select_answer"]
    assert list(told["timing_ms"]) == nodes


@pytest.mark.parametrize("given", [{}, {"question": ""}, {"question": "why?"}, {"messages": []}, {"question": 7}])
async def test_bad_input_is_a_clear_error(given: Any) -> None:
    graph = build_graph(Settings(task="arithmetic"), client=ScriptedClient(fast=["56"] * 5), scorer=None)
    with pytest.raises(InputError):
        await graph.ainvoke(given)


def agreement_needs_logprobs(evidence: Evidence) -> float:
    return 1.0


NEEDY = Measure("needy", agreement_needs_logprobs, threshold=0.5, higher_is_certain=True, requires=("logprobs",))


def test_a_measure_that_needs_logprobs_is_refused_at_build_time_where_there_are_none() -> None:
    with pytest.raises(SettingsError, match="'needy' needs log-probabilities, and scripted gives none"):
        build_graph(Settings(measure="needy"), client=ScriptedClient(), scorer=None, measures=[NEEDY])
    client = ScriptedClient(labels={"A": -0.1})
    assert build_graph(Settings(measure="needy"), client=client, scorer=None, measures=[NEEDY])


def test_an_unknown_measure_is_refused_at_build_time() -> None:
    with pytest.raises(SettingsError, match="unknown measure 'entropy'; known are consensus, vote_entropy"):
        build_graph(Settings(measure="entropy"), client=ScriptedClient(), scorer=None)


async def test_a_measure_of_the_users_own_decides_the_route() -> None:
    trusting = Measure("trusting", lambda evidence: 1.0, threshold=0.5, higher_is_certain=True)
    client = ScriptedClient(fast=["1", "2", "3", "4", "5"])
    graph = build_graph(
        Settings(task="arithmetic", measure="trusting"), client=client, scorer=None, measures=[trusting]
    )
    assert (await graph.ainvoke({"question": "1+0"}))["verification"]["route"] == "direct"


async def test_vote_entropy_gates_like_four_of_five() -> None:
    assert (await verify(["56", "56", "56", "56", "57"], measure="vote_entropy"))["route"] == "direct"
    assert (await verify(["56", "56", "56", "57", "57"], measure="vote_entropy"))["route"] == "reasoned"


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
async def test_an_unknown_override_names_the_nearest_right_one(how: str) -> None:
    graph = build_graph(Settings(task="arithmetic"), client=ScriptedClient(fast=["56"] * 5), scorer=None)
    wrong = {"treshold": 0.6}
    given: Any = {"context": wrong} if how == "context" else {"config": {"configurable": {"egrm": wrong}}}
    with pytest.raises(ValueError, match="'treshold'; did you mean 'threshold'"):
        await graph.ainvoke({"question": "1+1"}, **given)
