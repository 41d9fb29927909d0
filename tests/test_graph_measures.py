"""Each measure through the full graph: what the client is asked for, and the route."""

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from egrm_graph import Measure, Settings, Verification, build_graph
from egrm_graph.clients.client import Client, Completion
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_JUDGE, BUNDLED_MODEL
from egrm_graph.uncertainty.measures import MEASURES
from egrm_graph.verification import Message

QUESTION: Any = {"question": "17+48-9"}
PAIR: Any = {"question": "17+48-9", "candidates": ["#56", "#57"]}
ON_ANSWERS = [name for name, measure in MEASURES.items() if not {"readings", "orders"} & set(measure.requires)]
# Between a token of 0.99 with an alternative of 0.0001 and a token whose two alternatives are equally likely.
THRESHOLDS = {"token_entropy": 0.1, "self_certainty": 1.0} | dict.fromkeys(
    ("deepconf_mean", "deepconf_tail", "deepconf_lowest"), 4.0
)
ON_LOGPROBS = [name for name in ON_ANSWERS if MEASURES[name].requires]


def sure(text: str) -> Completion:
    """An answer of one token with the probability 0.99 and an alternative of 0.0001."""
    return Completion(
        text,
        "stop",
        1,
        logprobs=(math.log(0.99),),
        top_logprobs=({text: math.log(0.99), "other": math.log(0.0001)},),
    )


def bare(text: str) -> Completion:
    """An answer with invalid log-probabilities."""
    return Completion(text, "stop", 1, logprobs=(math.nan,), top_logprobs=({text: math.nan},))


async def verify(
    fast: Sequence[Item], paths: Sequence[Item] = ("#56",) * 4, **settings: Any
) -> tuple[Verification, ScriptedClient]:
    client = ScriptedClient(fast=fast, paths=paths, labels={})
    graph = build_graph(Settings(task="arithmetic", **settings), client=client, scorer=None)
    return (await graph.ainvoke(QUESTION))["verification"], client


@pytest.fixture(scope="module")
def model() -> Iterator[Client]:
    client = EmbeddedClient.load(bundled(BUNDLED_MODEL))
    yield client
    asyncio.run(client.aclose())


@pytest.mark.parametrize("name", ON_ANSWERS)
async def test_five_sure_answers_take_the_direct_route(name: str) -> None:
    result, _ = await verify([sure("56")] * 5, measure=name, threshold=THRESHOLDS.get(name))
    assert (result["route"], result["status"], result["reasons"]) == ("direct", "ok", [])
    assert result["uncertainty"]["measure"] == name
    assert result["uncertainty"]["value"] is not None


@pytest.mark.parametrize("name", ON_LOGPROBS)
async def test_without_readable_logprobs_the_gate_stays_closed_and_the_reason_says_so(name: str) -> None:
    result, _ = await verify([bare("56")] * 5, measure=name, threshold=THRESHOLDS.get(name))
    assert (result["route"], result["status"], result["answer"]) == ("reasoned", "degraded", "56")
    assert result["uncertainty"]["value"] is None
    assert (
        result["reasons"][0] == f"5 of 5 fast answers came without the log-probabilities that the measure {name} needs"
    )


async def test_a_sample_without_logprobs_is_a_lost_vote() -> None:
    result, _ = await verify([sure("56")] * 3 + [bare("56"), Fail("gone")], measure="deepconf_consensus", threshold=0.6)
    assert result["uncertainty"]["value"] == pytest.approx(0.6)
    assert (result["route"], result["status"]) == ("direct", "degraded")


async def test_samples_have_only_the_logprobs_that_the_measure_needs() -> None:
    for name, asked in (("consensus", 0), ("weighted_semantic_entropy", 1), ("deepconf_mean", 7)):
        result, client = await verify([sure("56")] * 5, measure=name, threshold=0.5, top_logprobs=7)
        assert {call.sampling.logprobs for call in client.calls if call.sampling} == {asked}
    assert result["samples"][0]["logprobs"] == [math.log(0.99)]
    assert result["samples"][0]["top_logprobs"] == [[math.log(0.99), math.log(0.0001)]]


async def test_paths_have_no_logprobs() -> None:
    result, _ = await verify([sure("56"), sure("57")], samples=2, measure="weighted_semantic_entropy")
    assert [path["logprobs"] for path in result["paths"]] == [None] * 4


@pytest.mark.parametrize("name", ON_ANSWERS)
async def test_the_bundled_model_can_be_measured(name: str, model: Client) -> None:
    graph = build_graph(Settings(measure=name, threshold=0.5, stopping="all"), client=model, scorer=None)
    easy = (await graph.ainvoke({"question": "17+48"}))["verification"]
    hard = (await graph.ainvoke({"question": "71+58-18-30+39"}))["verification"]
    values = easy["uncertainty"]["value"], hard["uncertainty"]["value"]
    assert None not in values
    assert (values[0] > values[1]) is MEASURES[name].higher_is_certain
    assert [sample["logprobs"] is not None for sample in easy["samples"]] == [name in ON_LOGPROBS] * 5


async def test_the_bundled_judge_can_be_measured() -> None:
    graph = build_graph(Settings(task="pairwise", measure="order_disagreement"), scorer=None)
    result = (await graph.ainvoke(PAIR))["verification"]
    assert result["uncertainty"]["value"] == pytest.approx(0, abs=0.34)


@pytest.mark.parametrize(("name", "value"), [("label_entropy", 0.325), ("label_margin", 0.8)])
async def test_measures_of_labels_use_their_probabilities(name: str, value: float) -> None:
    def labels(prompt: Sequence[Message]) -> Mapping[str, float]:
        text = prompt[-1]["content"]
        first = text.index("\n65\n") < text.index("\n66\n")
        return {"A": math.log(0.9 if first else 0.1), "B": math.log(0.1 if first else 0.9), "C": -math.inf}

    graph = build_graph(Settings(task="pairwise", measure=name), client=ScriptedClient(labels=labels), scorer=None)
    inputs: Any = {"question": "17+48?", "candidates": ["65", "66"]}
    result = (await graph.ainvoke(inputs))["verification"]
    assert result["uncertainty"]["value"] == pytest.approx(value, abs=1e-3)
    assert (result["route"], result["winner"]) == ("direct", 0)


async def test_a_measure_of_samples_draws_them_even_if_labels_can_be_read() -> None:
    client = ScriptedClient(fast=[sure("A")] * 6, paths=["A"] * 4, labels={"A": -0.1, "B": -3.0, "C": -3.0})
    graph = build_graph(Settings(task="pairwise", measure="deepconf_mean", threshold=0.5), client=client, scorer=None)
    result = (await graph.ainvoke(PAIR))["verification"]
    assert (len(result["samples"]), result["readings"]) == (6, [])
    assert result["uncertainty"]["value"] is not None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"measure": "nope"}, f"unknown measure 'nope'; known are {', '.join(MEASURES)}"),
        ({"measure": "order_disagreement"}, "the task 'arithmetic' does not show any"),
        ({"measure": "order_disagreement", "task": "pointwise"}, "the task 'pointwise' does not show any"),
        ({"measure": "label_entropy"}, "to the task 'arithmetic' are not single labels"),
        ({"measure": "label_margin", "task": "pairwise", "label_probabilities": "never"}, "'never' reads none"),
        ({"measure": "deepconf_tail"}, "'deepconf_tail' has no threshold that suits every model; set threshold"),
        ({"measure": "self_certainty", "task": "pairwise", "label_probabilities": "always"}, "'always' draws none"),
    ],
)
def test_settings_that_do_not_fit_the_measure_are_refused_at_build_time(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        build_graph(Settings(**{"task": "arithmetic", **settings}), client=ScriptedClient(labels={}), scorer=None)


def test_a_measure_cannot_need_both_readings_and_logprobs_of_samples() -> None:
    both = Measure("both", lambda _: 1.0, 0.8, higher_is_certain=True, requires=("readings", "top_logprobs"))
    settings = Settings(task="pairwise", measure="both")
    with pytest.raises(SettingsError, match="'both' needs both readings of labels and log-probabilities of samples"):
        build_graph(settings, client=ScriptedClient(labels={}), scorer=None, measures=[both])


def test_the_bundled_judge_has_no_labels_to_read() -> None:
    client = ScriptedClient(labels={}, name=BUNDLED_JUDGE)
    with pytest.raises(SettingsError, match=f"fast answers of {BUNDLED_JUDGE} to the task"):
        build_graph(Settings(task="pairwise", measure="label_entropy"), client=client, scorer=None)
