"""The graph's loop: paths are drawn and scored in waves, until a stopping rule has enough of them."""

import asyncio
import io
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import permutations
from types import MappingProxyType
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from rich.console import Console

from egrm_graph import RunSettings, Settings, Standing, Verification, build_graph
from egrm_graph.clients.scripted import Delay, Fail, Item, ScriptedClient, Stall
from egrm_graph.errors import SettingsError
from egrm_graph.prompting import PromptSource
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.strategies.strategy import Known, PathCall, PathInView
from egrm_graph.verification import Message
from egrm_graph.viewing.run_page import page_of
from egrm_graph.viewing.run_text import show
from tests import judges
from tests.tracing.memory_store import MemoryStore, recording_graph

TORN = ["1", "2", "3", "4", "5"]
QUESTION: Any = {"question": "17+48"}


def path(answer: int, score: float) -> str:
    """A path that `ByText` gives this score."""
    return f"17+48={answer};{score};#{answer}"


class ByText:
    """Reads the score of a path in its text, and counts how often each is asked for."""

    name = "by text"
    calibrated = True

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        self.asked.update(paths)
        return [float(text.split(";")[1]) if ";" in text else Unscored("no number") for text in paths]

    async def aclose(self) -> None: ...


async def verify(
    script: Sequence[Item], scorer: Any = None, stopping: str = "posterior", **settings: Any
) -> tuple[Verification, ScriptedClient]:
    client = ScriptedClient(fast=TORN, paths=script)
    settings = {"task": "arithmetic", "paths": 8, "stopping": "all", "path_stopping": stopping, **settings}
    graph = build_graph(Settings(**settings), client=client, scorer=ByText() if scorer is None else scorer)
    return (await graph.ainvoke(QUESTION))["verification"], client


def numbers(client: ScriptedClient) -> list[int]:
    """The numbers of the calls that drew paths."""
    return [int(call.request_id.rpartition(".")[2]) for call in client.calls if ".expand_cot." in call.request_id]


UNSURE = [path(60 + i, 0.5) for i in range(8)]


@pytest.mark.parametrize(
    ("paths", "drawn"),
    [
        ([path(65, 0.97), *UNSURE], 1),
        ([path(65, 0.8), path(65, 0.8), path(65, 0.8), *UNSURE], 3),
        ([path(65, 0.8), path(66, 0.97), path(66, 0.97), *UNSURE], 3),
        ([path(65, 0.5), path(66, 0.5), path(65, 0.99), *UNSURE], 3),
        (UNSURE, 8),
    ],
)
async def test_paths_are_drawn_one_by_one_until_an_answer_is_likely_enough(paths: list[Item], drawn: int) -> None:
    result, client = await verify(paths)
    assert len(result["paths"]) == drawn
    assert numbers(client) == list(range(drawn))
    assert result["status"] == "ok"
    assert set(result["timing_ms"]) == {
        "answer_fast",
        "check_uncertainty",
        "expand_cot",
        "score_paths",
        "select_answer",
    }


async def test_without_a_rule_every_path_has_the_seed_that_it_always_had() -> None:
    result, client = await verify(UNSURE, stopping="all", paths=4)
    assert [drawn["seed"] for drawn in result["paths"]] == [2012203630 + i for i in range(4)]
    assert numbers(client) == [0, 1, 2, 3]


@pytest.mark.parametrize("sizes", [(1, 1), (2, 3), (8, 1), (3, 8)])
async def test_a_path_does_not_depend_on_its_wave(sizes: tuple[int, int]) -> None:
    together, _ = await verify(UNSURE, stopping="all")
    apart, client = await verify(UNSURE, first_paths=sizes[0], later_paths=sizes[1])
    for result in (together, apart):
        for drawn in result["paths"]:
            drawn["request_id"] = drawn["request_id"].removeprefix(result["run_id"])
    assert apart["paths"] == together["paths"]
    assert apart["usage"] == together["usage"]
    assert (apart["answer"], apart["best_path"]) == (together["answer"], together["best_path"])
    assert numbers(client) == list(range(8))


@pytest.mark.parametrize("delays", list(permutations((0.0, 0.02, 0.04))))
async def test_within_a_wave_the_first_paths_decide_whichever_ends_first(delays: tuple[float, ...]) -> None:
    texts = [path(65, 0.8), path(65, 0.9), path(66, 0.99)]
    items = [Delay(seconds, text) for seconds, text in zip(delays, texts, strict=True)]
    result, client = await verify([*items, Stall()], first_paths=4, paths=4)
    assert [drawn["score"] for drawn in result["paths"]] == [0.8, 0.9]
    assert (result["answer"], result["best_path"]) == ("65", 1)
    assert client.calls[-1].state == "cancelled"
    assert result["usage"]["requests"] == 5
    drawn = sum(drawn["n_tokens"] or 0 for drawn in result["paths"])
    late = result["usage"]["completion_tokens"] - sum(len(text) for text in TORN) - drawn
    assert result["usage"]["cancelled_tokens"] == late
    assert 0 <= late <= len(texts[2])


async def test_a_path_is_scored_once() -> None:
    sizes: Any
    for sizes in ({"first_paths": 1}, {"first_paths": 3, "later_paths": 2}):
        scorer = ByText()
        await verify(UNSURE, scorer, **sizes)
        assert scorer.asked == Counter(UNSURE)


async def test_lost_and_unscored_paths_say_nothing_and_are_reported_by_their_place() -> None:
    paths: list[Item] = [Fail("gone"), "#65", path(65, 0.5), path(65, 0.99), *UNSURE]
    for first in (1, 2, 3):
        result, _ = await verify(paths, first_paths=first)
        assert [drawn["score"] for drawn in result["paths"]] == [None, None, 0.5, 0.99]
        assert result["status"] == "degraded"
        assert sorted(result["reasons"]) == [
            f"1 of {first} path{'s' if first > 1 else ''} lost: gone".replace("1 of 1 path lost", "1 of 1 paths lost"),
            "path 1 unscored: no number",
        ]


async def test_without_a_score_all_paths_are_drawn() -> None:
    result, _ = await verify(["#65"] * 8)
    assert len(result["paths"]) == 8
    assert (result["status"], result["answer"]) == ("degraded", "65")


async def test_a_failing_scorer_stops_nothing() -> None:
    class Broken(ByText):
        async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
            raise SettingsError("out of memory")

    result, _ = await verify(UNSURE, Broken(), first_paths=3, later_paths=3)
    assert len(result["paths"]) == 8
    assert result["reasons"].count("the scorer failed: out of memory") >= 3


@pytest.mark.parametrize(("rule", "drawn"), [("sequential", 3), ("beta", 4), ("windows", 5)])
async def test_a_rule_on_votes_needs_no_scorer(rule: str, drawn: int) -> None:
    client = ScriptedClient(fast=TORN, paths=["#65"] * 8)
    settings = Settings(task="arithmetic", paths=8, path_stopping=rule)
    result = (await build_graph(settings, client=client, scorer=None).ainvoke(QUESTION))["verification"]
    assert len(result["paths"]) == drawn
    assert result["answer"] == "65"


def two_scores_above_a_half(standing: Standing) -> bool:
    return sum(score is not None and score > 0.5 for score in standing.scores) >= 2


async def test_a_rule_of_your_own_sees_the_scores() -> None:
    paths = [path(65, 0.6), path(66, 0.4), path(67, 0.6), *UNSURE]
    for first in (1, 8):
        client = ScriptedClient(fast=TORN, paths=paths)
        settings = Settings(task="arithmetic", paths=8, path_stopping="two_scores_above_a_half", first_paths=first)
        rules = [two_scores_above_a_half]
        graph = build_graph(settings, client=client, scorer=ByText(), stopping_rules=rules)
        result = (await graph.ainvoke(QUESTION))["verification"]
        assert [drawn["score"] for drawn in result["paths"]] == [0.6, 0.4, 0.6]


class Uncalibrated(ByText):
    name = "a guess"
    calibrated = False


@pytest.mark.parametrize(
    ("settings", "scorer", "message"),
    [
        ({"path_stopping": "posterior"}, None, "needs scores that are probabilities, and the graph has no scorer"),
        ({"path_stopping": "posterior"}, Uncalibrated(), "a guess is not calibrated; set scorer .--scorer. to a calib"),
        ({"path_stopping": "decided"}, ByText(), "is about the gate, which only fast answers pass"),
        ({"path_stopping": "soon"}, ByText(), "unknown stopping rule 'soon'; known rules are posterior, beta"),
        ({"stopping": "posterior"}, ByText(), "fast answers have none; set path_stopping to it"),
    ],
)
def test_a_rule_that_cannot_apply_is_refused(settings: dict[str, Any], scorer: Any, message: str) -> None:
    client = ScriptedClient(fast=TORN, paths=[])
    with pytest.raises(SettingsError, match=message):
        build_graph(Settings(task="arithmetic", **settings), client=client, scorer=scorer)
    graph = build_graph(Settings(task="arithmetic"), client=client, scorer=scorer)
    with pytest.raises(SettingsError, match=message):
        graph.invoke(QUESTION, {"configurable": {"egrm": settings}})


async def test_auto_uses_scores_only_if_they_are_probabilities() -> None:
    paths = [path(65, 0.99), *UNSURE]
    for scorer, drawn in ((ByText(), 1), (Uncalibrated(), 8)):
        result, _ = await verify(paths, scorer, stopping="auto")
        assert len(result["paths"]) == drawn


async def test_the_published_preset_does_not_depend_on_the_defaults() -> None:
    published = Settings(preset="published")
    assert (published.samples, published.measure, published.threshold, published.paths, published.path_stopping) == (
        5,
        "consensus",
        0.8,
        4,
        "all",
    )
    assert Settings(preset="published", paths=6).paths == 6
    assert published.overridden(RunSettings(paths=7)).paths == 7


class Killed(ScriptedClient):
    """Dies at the call of one path, the first time it is asked for it."""

    def __init__(self, at: int, paths: Sequence[Item]) -> None:
        super().__init__(fast=TORN, paths=paths)
        self._at: int | None = at

    async def sample(self, prompt: Sequence[Message], *args: Any, request_id: str, **more: Any) -> Any:
        if self._at is not None and request_id.endswith(f".expand_cot.{self._at}"):
            self._at = None
            raise RuntimeError("killed")
        return await super().sample(prompt, *args, request_id=request_id, **more)


@pytest.mark.parametrize("at", range(5))
def test_a_killed_run_resumes_in_any_wave_and_draws_and_counts_nothing_twice(at: int) -> None:
    paths = [*UNSURE[:4], path(65, 0.99)]
    settings = Settings(task="arithmetic", paths=8, path_stopping="posterior")
    scorer, client = ByText(), Killed(at, paths)
    graph = build_graph(settings, client=client, scorer=scorer, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    with pytest.raises(RuntimeError, match="killed"):
        graph.invoke(QUESTION, config)
    result: Verification = graph.invoke(None, config)["verification"]
    usual = build_graph(settings, client=ScriptedClient(fast=TORN, paths=paths), scorer=ByText()).invoke(QUESTION)
    assert numbers(client) == [0, 1, 2, 3, 4]
    assert scorer.asked == Counter(paths)
    assert result["usage"] == usual["verification"]["usage"]
    assert (result["answer"], len(result["paths"])) == ("65", 5)


def test_a_thread_starts_every_question_without_paths() -> None:
    settings = Settings(task="arithmetic", paths=8, path_stopping="posterior")
    client = ScriptedClient(fast=TORN, paths=[path(64, 0.5), path(65, 0.99)])
    graph = build_graph(settings, client=client, scorer=ByText(), checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    first, second = [graph.invoke(QUESTION, config)["verification"] for _ in range(2)]
    assert (len(first["paths"]), len(second["paths"])) == (2, 2)
    assert first["usage"] == second["usage"]


@pytest.mark.parametrize("waves", range(1, 5))
async def test_a_budget_ends_the_loop_in_any_wave(waves: int) -> None:
    size = len(UNSURE[0])
    for spare in (0, 1):  # the budget ends between two waves, or within one
        budget = sum(map(len, TORN)) + waves * size + spare
        result, client = await verify([Delay(0.02, text) for text in UNSURE], max_completion_tokens=budget)
        assert [drawn["answer"] is not None for drawn in result["paths"]] == [True] * waves + [False]
        assert result["status"] == "degraded"
        assert result["reasons"] == ["1 of 1 paths lost: the budget of completion tokens was spent"]
        assert numbers(client) == list(range(waves + spare))


@pytest.mark.parametrize("waves", range(3))
async def test_a_deadline_ends_the_loop_in_any_wave(waves: int) -> None:
    result, client = await verify([*UNSURE[:waves], Stall()], deadline_s=0.4)
    assert len(result["paths"]) == waves + 1
    assert numbers(client) == list(range(waves + 1))
    assert result["status"] == "degraded"
    assert result["reasons"][0] == "1 of 1 paths lost: the deadline was reached"


@pytest.mark.parametrize("in_sequence", [False, True])
async def test_256_waves_fit_into_the_steps_that_langgraph_allows(in_sequence: bool) -> None:
    client = ScriptedClient(fast=TORN, paths=[UNSURE[0]] * 256)
    settings = Settings(task="arithmetic", paths=256, path_stopping="windows")
    graph: Any = build_graph(
        settings, client=ScriptedClient(fast=TORN, paths=[f"#{i}" for i in range(256)]), scorer=None
    )
    if in_sequence:  # LangChain passes its own limit of 25 steps on
        graph = RunnableLambda(lambda value: value) | graph
    result = (await graph.ainvoke(QUESTION))["verification"]
    assert len(result["paths"]) == 256
    assert result["status"] == "ok"
    assert client.calls == []


async def test_speculation_draws_only_the_first_wave_ahead_and_changes_nothing() -> None:
    paths: list[Item] = [path(65, 0.5), path(65, 0.97), path(66, 0.5), path(66, 0.5)]
    for first, drawn in ((1, 2), (2, 2), (4, 2)):
        usual, _ = await verify(paths, first_paths=first, waves=2)
        ahead, client = await verify(paths, first_paths=first, waves=2, speculate=True)
        assert len(usual["paths"]) == drawn
        assert [each["score"] for each in ahead["paths"]] == [each["score"] for each in usual["paths"]]
        assert [each["seed"] for each in ahead["paths"]] == [each["seed"] for each in usual["paths"]]
        assert len(numbers(client)) == len(set(numbers(client)))


class Constant(ByText):
    """Gives every path the same score."""

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        return [0.7 for _ in paths]


async def judged(judge: judges.Judge, candidates: Sequence[str], **settings: Any) -> Verification:
    settings = {"task": "pairwise", "paths": 8, "threshold": 2.0, "path_stopping": "posterior", **settings}
    graph = build_graph(Settings(**settings), client=ScriptedClient(judges.script(judge)), scorer=Constant())
    result: Verification = (await graph.ainvoke({"question": "1+1", "candidates": list(candidates)}))["verification"]
    return result


@pytest.mark.parametrize("sizes", [(1, 1), (3, 1), (2, 3)])
async def test_candidates_are_drawn_in_all_orders_in_every_wave(sizes: tuple[int, int]) -> None:
    settings = {"first_paths": sizes[0], "later_paths": sizes[1]}
    one = await judged(judges.noisy, ["2", "33"], path_confidence=0.999, **settings)
    other = await judged(judges.noisy, ["33", "2"], path_confidence=0.999, **settings)
    for result in (one, other):
        orders = Counter(tuple(each["order"]) for each in result["paths"])
        assert len(orders) == 2
        assert len(set(orders.values())) == 1
    assert one["rewards"] is not None
    assert other["rewards"] is not None
    assert one["rewards"] == other["rewards"][::-1]
    assert [each["seed"] for each in one["paths"]] == [each["seed"] for each in other["paths"]]


async def test_a_preference_for_a_place_never_looks_like_evidence() -> None:
    result = await judged(judges.first, ["2", "33"])
    assert len(result["paths"]) == 8
    assert [each["answer"] is None for each in result["paths"]] == [False] * 8


async def test_verdicts_on_candidates_stop_by_their_scores() -> None:
    result = await judged(judges.longest, ["2", "33"])
    assert result["winner"] == 1
    assert len(result["paths"]) == 4  # 0.7 twice gives odds of 5.4, four times 29.6


class Staged:
    """Draws drafts, and then a path from each; notes what it knows."""

    name = "mine"
    prompts: Mapping[str, PromptSource | None] = MappingProxyType({"expand_cot": None})
    variables: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, most_waves: int = 8) -> None:
        self.scored: list[list[float | None]] = []
        self.most_waves = most_waves

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        if len(known.rounds) == 2 or len(known.scored) >= self.most_waves:
            return []
        if not known.rounds:
            self.scored.append([each["score"] for each in known.scored])
        return known.calls("expand_cot", known.path_views())

    def paths(self, known: Known) -> Sequence[PathInView]:
        last = known.rounds[-1]
        return [known.read(call, outcome) for call, (outcome,) in zip(last.calls, last.outcomes, strict=True)]


async def staged(strategy: Staged, **settings: Any) -> tuple[Verification, ScriptedClient]:
    client = ScriptedClient(fast=TORN, paths=[path(60 + i, 0.5) for i in range(16)])
    settings = {"task": "arithmetic", "strategy": "mine", "paths": 4, "path_stopping": "posterior", **settings}
    graph = build_graph(Settings(**settings), client=client, scorer=ByText(), strategies=[strategy])
    return (await graph.ainvoke(QUESTION))["verification"], client


async def test_the_rounds_of_all_waves_have_different_seeds_and_request_ids() -> None:
    for sizes in ({}, {"first_paths": 2}, {"path_stopping": "all"}):
        result, client = await staged(strategy := Staged(), **sizes)
        calls = [call for call in client.calls if ".expand_cot." in call.request_id]
        assert len({call.request_id for call in calls}) == len({call.seeds for call in calls}) == len(calls) == 8
        assert sorted(numbers(client)) == list(range(8))
        assert len(result["paths"]) == 4
    assert strategy.scored == [[]]


async def test_a_strategy_knows_the_scores_of_earlier_waves_and_may_end_the_loop() -> None:
    strategy = Staged(most_waves=2)
    result, _ = await staged(strategy)
    assert strategy.scored == [[], [0.5]]
    assert len(result["paths"]) == 2
    assert result["status"] == "ok"


async def test_the_record_has_each_wave_and_its_usage() -> None:
    store = MemoryStore()
    paths: list[Item] = [Fail("gone"), path(64, 0.5), path(65, 0.99)]
    client = ScriptedClient(fast=TORN, paths=paths)
    graph = recording_graph(client, store, ByText(), paths=8, path_stopping="posterior")
    result = (await graph.ainvoke(QUESTION))["verification"]
    [stored] = store.records
    drawn = [node for node in stored["nodes"] if node["name"] == "expand_cot"]
    assert [node["usage"] and node["usage"]["requests"] for node in drawn] == [1, 1, 1]
    assert [node["reasons"] for node in drawn] == [["1 of 1 paths lost: gone"], [], []]
    assert (
        sum(node["usage"]["completion_tokens"] for node in stored["nodes"] if node["usage"])
        == (result["usage"]["completion_tokens"])
    )
    assert [name for node in stored["nodes"] for name in [node["name"]]][2:-1] == ["expand_cot", "score_paths"] * 3
    out = io.StringIO()
    show(stored, Console(file=out, width=200))
    assert out.getvalue().count("expand_cot") >= 3
    assert page_of([stored])


async def test_events_number_the_paths() -> None:
    client = ScriptedClient(fast=TORN, paths=UNSURE)
    settings = Settings(task="arithmetic", paths=6, path_stopping="posterior", first_paths=2, later_paths=3)
    graph = build_graph(settings, client=client, scorer=ByText())
    events = [event async for event in graph.astream(QUESTION, stream_mode="custom")]
    drawn = [event for event in events if event["node"] == "expand_cot"]
    assert [event["i"] for event in drawn] == list(range(6))


def test_concurrent_runs_do_not_mix() -> None:
    settings = Settings(task="arithmetic", paths=8, path_stopping="posterior", first_paths=2)
    client = ScriptedClient(fast=TORN, paths=[path(64, 0.5), path(65, 0.9), path(65, 0.9)])
    graph = build_graph(settings, client=client, scorer=ByText())

    async def several() -> list[Any]:
        return list(await asyncio.gather(*(graph.ainvoke({"question": f"{i}+48"}) for i in range(20))))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = asyncio.run(several())
    assert {len(each["verification"]["paths"]) for each in results} == {3}
