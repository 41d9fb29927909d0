"""Several chains of thought in one completion."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egrm_graph import Settings, build_graph
from egrm_graph.clients.client import Completion
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.drawing.calls import Lost
from egrm_graph.errors import SettingsError
from egrm_graph.strategies.divergent import Chain, chains_in, split
from egrm_graph.verification import Verification

TORN = ["1", "2", "3", "4", "5"]
QUESTION = "What is 17+48?"
THREE = (
    "Here are three ways.\n[Answer 1]\n17+40=57, 57+8=65: \\boxed{65}\n\n**[Answer 2]** 7+8=5: \\boxed{55}\n"
    "[Answer 3] By [Answer 1], carry the one: \\boxed{65}\n[Final answer] \\boxed{65}"
)


class Rising:
    """Scores the paths of a question 0.1, 0.2, and so on."""

    name, calibrated = "rising", False

    async def score(self, question: str, paths: Sequence[str]) -> list[float]:
        return [(i + 1) / 10 for i in range(len(paths))]

    async def aclose(self) -> None: ...


async def verify(reply: Item, **options: Any) -> tuple[Verification, ScriptedClient]:
    client = ScriptedClient(fast=TORN, paths=[reply])
    scorer = options.pop("scorer", None)
    events = options.pop("events", None)
    graph = build_graph(Settings(task="answer", strategy="divergent", **options), client=client, scorer=scorer)
    if events is None:
        return (await graph.ainvoke({"question": QUESTION}))["verification"], client
    verification: Any = None
    stream: Any = graph.astream({"question": QUESTION}, stream_mode=["custom", "values"])
    async for mode, chunk in stream:
        if mode == "custom":
            events.append(chunk)
        else:
            verification = chunk.get("verification")
    return verification, client


def test_a_text_is_split_at_its_headings() -> None:
    assert chains_in(THREE) == [
        Chain("17+40=57, 57+8=65: \\boxed{65}", complete=True),
        Chain("7+8=5: \\boxed{55}", complete=True),
        Chain("By [Answer 1], carry the one: \\boxed{65}", complete=True),
    ]


def test_a_heading_out_of_turn_is_text() -> None:
    text = "[Final answer] 1\n[Answer 2] early\n[Answer 1] first\n[Answer 3] same\n[Answer 1] same\n[answer 2] x"
    assert chains_in(text) == [
        Chain("first\n[Answer 3] same\n[Answer 1] same", complete=True),
        Chain("x", complete=False),
    ]


@settings(deadline=None)
@given(text=st.text(alphabet="[Answer 12]final\n #*", max_size=200), n=st.integers(1, 5))
def test_a_completion_always_gives_as_many_paths_as_were_asked_for(text: str, n: int) -> None:
    parts = split(Completion(text, "stop", 5), n)
    assert len(parts) == n
    assert all(part.text in text for part in parts if isinstance(part, Completion))


@pytest.mark.parametrize(
    ("text", "finish_reason", "finishes"),
    [
        ("[Answer 1] a\n[Answer 2] b", "length", ["stop", "length"]),
        ("[Answer 1] a\n[Answer 2] b\n[Answer 3] c", "length", ["stop", "stop"]),
        ("[Answer 1] a\n[Answer 2] b\n[Final answer] b", "length", ["stop", "stop"]),
        ("[Answer 1] a\n[Answer 2] b", "stop", ["stop", "stop"]),
    ],
)
def test_only_the_last_chain_can_be_cut(text: str, finish_reason: Any, finishes: list[str]) -> None:
    parts = split(Completion(text, finish_reason, 9), 2)
    assert [part.finish_reason for part in parts if isinstance(part, Completion)] == finishes


def test_thinking_has_no_chains() -> None:
    parts = split(Completion("<think>[Answer 1] 64\n[Answer 2] 66</think>[Answer 1] 65", "stop", 9), 2)
    assert parts == [Completion("65", "stop", None), Lost("the completion has 1 of 2 chains")]
    assert split(Completion("<think>[Answer 1] 64", "length", 9), 1) == [
        Lost("the model gave no text, or only its thinking")
    ]


async def test_one_call_gives_all_paths_and_its_tokens_count_once() -> None:
    result, client = await verify(THREE, paths=3, path_max_tokens=100)
    [call] = [call for call in client.calls if ".expand_cot." in call.request_id]
    assert "in 3 different ways" in call.prompt[-1]["content"]
    assert "[Answer 3]" in call.prompt[-1]["content"]
    assert call.prompt[-1]["content"].startswith(QUESTION)
    assert call.sampling is not None
    assert call.sampling.max_tokens == 300
    assert [path["answer"] for path in result["paths"]] == ["65", "55", "65"]
    assert [path["n_tokens"] for path in result["paths"]] == [None, None, None]
    assert result["usage"]["completion_tokens"] == len(THREE) + sum(map(len, TORN))
    assert (result["answer"], result["status"]) == ("65", "ok")


async def test_a_scorer_grades_each_chain() -> None:
    result, _ = await verify(THREE, paths=3, scorer=Rising(), selection="best_score")
    assert [path["score"] for path in result["paths"]] == [0.1, 0.2, 0.3]
    assert result["best_path"] == 2


async def test_a_chain_that_is_not_there_is_a_lost_path() -> None:
    result, _ = await verify("[Answer 1] \\boxed{65}\n[Answer 2] I cannot say.", paths=4)
    assert [path["answer"] for path in result["paths"]] == ["65", None, None, None]
    assert result["reasons"][0] == "2 of 4 paths lost: the completion has 2 of 4 chains"
    assert result["status"] == "degraded"
    assert [path["unscored"] for path in result["paths"]][1] == "no answer could be read"


async def test_chains_that_were_cut_are_lost_with_the_setting_to_raise() -> None:
    result, _ = await verify(Completion("[Answer 1] \\boxed{65}\n[Answer 2] \\boxed{5", "length", 20), paths=3)
    assert [path["answer"] for path in result["paths"]] == ["65", None, None]
    assert result["reasons"][0] == (
        "1 of 3 paths lost: the completion has 2 of 3 chains, and was cut (path_max_tokens)"
    )


async def test_a_reply_without_headings_has_no_path() -> None:
    result, _ = await verify("17+48=65, so it is \\boxed{65}.", paths=2)
    assert [path["text"] for path in result["paths"]] == [None, None]
    assert result["reasons"][0] == "2 of 2 paths lost: the completion has 0 of 2 chains"


async def test_a_lost_call_loses_all_its_paths() -> None:
    result, _ = await verify(Fail("the server is down"), paths=3)
    assert result["reasons"][0] == "3 of 3 paths lost: the server is down"
    assert [path["error"] for path in result["paths"]] == ["the server is down"] * 3
    assert result["status"] == "degraded"


async def test_each_chain_is_reported_as_a_sample() -> None:
    events: list[Any] = []
    await verify(THREE, paths=3, events=events)
    samples = [event for event in events if event.get("egrm") == "sample" and event["node"] == "expand_cot"]
    assert [(event["i"], event["answer"]) for event in samples] == [(0, "65"), (1, "55"), (2, "65")]


def calibrated() -> Any:
    scorer: Any = Rising()
    scorer.calibrated = True
    return scorer


async def test_a_calibrated_scorer_does_not_cut_the_paths_into_waves() -> None:
    result, client = await verify(THREE, scorer=calibrated(), min_confidence=None)
    assert len(result["paths"]) == 4
    assert sum(".expand_cot." in call.request_id for call in client.calls) == 1


@pytest.mark.parametrize(
    ("options", "scorer", "message"),
    [
        ({"path_stopping": "beta"}, lambda: None, r"path_stopping='beta' stops between paths"),
        ({"path_stopping": "posterior"}, calibrated, r"path_stopping='posterior' stops .* to 'all'"),
        ({"task": "pairwise"}, lambda: None, r"in one completion, which are not votes, .*'plain'"),
        ({"task": "arithmetic"}, lambda: None, r"asks in English .* task \(--task\) to 'answer'"),
    ],
)
def test_settings_that_do_not_go_with_it_are_refused(
    options: dict[str, Any], scorer: Callable[[], Any], message: str
) -> None:
    given: dict[str, Any] = {"task": "answer", "strategy": "divergent"} | options
    with pytest.raises(SettingsError, match=message):
        build_graph(Settings(**given), client=ScriptedClient(fast=TORN), scorer=scorer())


@pytest.mark.parametrize("task", ["auto", "answer"])
def test_the_bundled_model_is_refused_with_the_fix(task: Any) -> None:
    with pytest.raises(SettingsError, match=r"which the bundled model .* set model \(--model\) to one that"):
        build_graph(Settings(engine="embedded", strategy="divergent", task=task))
