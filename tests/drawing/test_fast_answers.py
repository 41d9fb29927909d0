"""Fast verdicts: from label probabilities where the client has them, from samples otherwise."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from egrm_graph import Settings, Verification, build_graph
from egrm_graph.clients.scripted import AnswerFunction, Fail, Labels, ScriptedClient
from egrm_graph.errors import EgrmError, ServerError, SettingsError, Unsupported
from egrm_graph.settings import TaskName
from egrm_graph.verification import Message

PAIR: Any = {"question": "17+48?", "candidates": ["65", "66"]}


def near(value: float) -> Any:
    return pytest.approx(value)


def first_label(prompt: Sequence[Message], candidate: str) -> bool:
    """Whether the prompt shows this candidate first."""
    text = prompt[-1]["content"]
    return text.index(f"\n{candidate}\n") < text.index("\n66\n" if candidate == "65" else "\n65\n")


def logs(**shares: float) -> Mapping[str, float]:
    return {label: math.log(share) if share else -math.inf for label, share in shares.items()}


def take_65(prompt: Sequence[Message], seed: int, request_id: str) -> str:
    return "A" if first_label(prompt, "65") else "B"


def for_65(share: float, tie: float = 0.0) -> Labels:
    """Give the candidate 65 this probability, whichever label it has."""

    def labels(prompt: Sequence[Message]) -> Mapping[str, float]:
        one, other = (share, 1 - share - tie) if first_label(prompt, "65") else (1 - share - tie, share)
        return logs(A=one, B=other, C=tie)

    return labels


async def judge(
    labels: Labels | None, script: AnswerFunction | None = None, task: TaskName = "pairwise", **settings: Any
) -> tuple[Verification, ScriptedClient]:
    client = ScriptedClient(script or (lambda *_: "A"), labels=labels)
    graph = build_graph(Settings(task=task, **settings), client=client, scorer=None)
    result: Verification = (await graph.ainvoke(PAIR))["verification"]
    return result, client


async def test_one_token_per_order_replaces_all_samples() -> None:
    result, client = await judge(for_65(0.875, tie=0.0625))
    assert (result["route"], result["winner"], result["samples"]) == ("direct", 0, [])
    assert result["rewards"] == [near(0.875), near(0.0625)]
    assert result["tie"] == near(0.0625)
    assert [
        (reading["order"], reading["samples"], reading["mass"]) for reading in sorted(result["readings"], key=str)
    ] == [(order, 3, near(1)) for order in (["A", "B"], ["B", "A"])]
    assert [call.sampling for call in client.calls] == [None, None]
    assert (result["uncertainty"]["samples"], result["uncertainty"]["value"]) == (6, near(0.875))


async def test_the_labels_share_the_probability_that_falls_on_them() -> None:
    result, _ = await judge(lambda _: logs(A=0.3, B=0.3, C=0.0))
    assert [reading["mass"] for reading in result["readings"]] == [near(0.6)] * 2
    assert [sum((reading["probabilities"] or {}).values()) for reading in result["readings"]] == [near(1)] * 2
    assert (result["winner"], result["rewards"]) == (None, [near(0.5)] * 2)


async def test_orders_that_disagree_do_not_pass_the_gate() -> None:
    result, _ = await judge(lambda _: logs(A=1.0, B=0.0, C=0.0), path_max_tokens=1)
    assert (result["route"], result["uncertainty"]["value"]) == ("reasoned", near(0.5))
    assert result["uncertainty"]["orders_agree"] is False


async def test_a_reading_with_too_little_probability_on_the_labels_does_not_count() -> None:
    def labels(prompt: Sequence[Message]) -> Mapping[str, float]:
        return logs(A=0.1, B=0.3, C=0.0) if first_label(prompt, "65") else logs(A=0.9, B=0.05, C=0.0)

    result, _ = await judge(labels, threshold=0.4)
    assert (result["status"], result["route"], result["winner"]) == ("degraded", "direct", 1)
    reason = "only 0.4 of all probability was on the labels A, B, C (min_label_mass)"
    assert result["reasons"][0] == f"1 of 2 readings lost: {reason}"
    lost = next(reading for reading in result["readings"] if reading["error"])
    assert (lost["probabilities"], lost["mass"]) == (None, near(0.4))
    assert result["uncertainty"]["samples"] == 6  # lost voters stay in the denominator
    assert result["uncertainty"]["value"] == near(0.5 * 0.9 / 0.95)


async def test_the_required_mass_is_a_setting() -> None:
    result, _ = await judge(lambda _: logs(A=0.1, B=0.1, C=0.0), min_label_mass=0.2)
    assert [reading["error"] for reading in result["readings"]] == [None, None]


@pytest.mark.parametrize("broken", [math.nan, math.inf, 800.0])
async def test_an_invalid_log_probability_does_not_count(broken: float) -> None:
    result, _ = await judge(lambda _: {"A": broken, "B": -1.0, "C": -1.0}, lambda *_: Fail("gone"))
    assert (result["status"], result["rewards"]) == ("abstained", [None, None])
    assert [reading["mass"] for reading in result["readings"]] == [None, None]


async def test_a_label_of_several_tokens_falls_back_to_samples() -> None:
    result, _ = await judge(lambda _: Unsupported("'A' is two tokens"), take_65)
    assert (result["readings"], len(result["samples"]), result["status"], result["winner"]) == ([], 6, "ok", 0)
    assert result["usage"]["requests"] == 4  # two refused readings and two calls for samples


async def test_always_does_not_fall_back_to_samples() -> None:
    result, _ = await judge(lambda _: Unsupported("'A' is two tokens"), label_probabilities="always")
    assert (result["samples"], [reading["error"] for reading in result["readings"]]) == ([], ["'A' is two tokens"] * 2)
    assert result["status"] == "abstained"  # the paths say only "A", without the code


async def test_always_is_refused_if_the_client_has_no_probabilities() -> None:
    with pytest.raises(SettingsError, match="label_probabilities='always', and scripted gives no probabilities"):
        await judge(None, label_probabilities="always")


async def test_never_draws_samples_even_if_the_client_has_probabilities() -> None:
    result, _ = await judge(for_65(1.0), label_probabilities="never")
    assert (result["readings"], len(result["samples"])) == ([], 6)


async def test_an_order_whose_reading_fails_is_lost_with_the_reason() -> None:
    def labels(prompt: Sequence[Message]) -> Mapping[str, float] | EgrmError:
        return logs(A=1.0, B=0.0, C=0.0) if first_label(prompt, "65") else ServerError("gone")

    result, _ = await judge(labels, lambda *_: Fail("gone, too"))
    assert (result["status"], result["route"], result["uncertainty"]["value"]) == ("degraded", "reasoned", 0.5)
    assert result["reasons"][:2] == ["1 of 2 readings lost: gone", "4 of 4 paths lost: gone, too"]


async def test_samples_share_one_request_per_order() -> None:
    result, client = await judge(None, take_65)
    assert [len(call.seeds) for call in client.calls] == [3, 3]
    assert len({seed for call in client.calls for seed in call.seeds}) == 6
    assert (result["route"], result["winner"], result["rewards"]) == ("direct", 0, [1.0, 0.0])
