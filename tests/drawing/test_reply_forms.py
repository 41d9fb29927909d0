"""The form of fast answers through the full graph: who decides it, what is requested, read, and recorded."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from egrm_graph import RunSettings, Settings, Verification, build_graph
from egrm_graph.clients.client import Completion
from egrm_graph.clients.scripted import Item, ScriptedClient
from egrm_graph.clients.server_api import OPENAI, VLLM, ServerApi
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.clients.server_requests import Endpoint
from egrm_graph.errors import SettingsError, Unsupported
from egrm_graph.settings import ReplyForm
from egrm_graph.verification import Message
from tests.clients.fake_server import FakeServer, Seen, say
from tests.judges import longest, read_prompt
from tests.tracing.memory_store import MemoryStore, recording_graph

BOX = "\\boxed{"
QUESTION: Any = {"question": "6*7?"}
PAIR: Any = {"question": "17+48?", "candidates": ["65", "6566"]}
BOTH: tuple[ReplyForm, ...] = ("continued", "structured")


def cut(text: str) -> Completion:
    return Completion(text, "length", len(text))


async def verify(
    fast: Sequence[Item] | Callable[..., Item], forms: Sequence[ReplyForm] = BOTH, **settings: Any
) -> tuple[Verification, ScriptedClient]:
    script: Any = fast if callable(fast) else {"answer_fast": fast, "expand_cot": ["\\boxed{42}"] * 4}
    client = ScriptedClient(script, reply_forms=forms)
    graph = build_graph(Settings(**{"preset": "published", "task": "answer", **settings}), client=client, scorer=None)
    given = PAIR if settings.get("task") == "pairwise" else QUESTION
    result: Verification = (await graph.ainvoke(given))["verification"]
    return result, client


def roles(client: ScriptedClient) -> list[str]:
    return [message["role"] for message in client.calls[0].prompt]


async def test_the_model_continues_the_start_of_the_reply() -> None:
    result, client = await verify(
        ["42}", "42} because", cut("42} is six times se"), "42", "\\boxed{42}"], stopping="all"
    )
    assert client.calls[0].prompt[-1] == Message(role="assistant", content=BOX)
    assert client.calls[0].sampling is not None
    assert client.calls[0].sampling.stop == ("\n",)
    assert [sample["text"] for sample in result["samples"]] == [
        "\\boxed{42}",
        "\\boxed{42} because",
        "\\boxed{42} is six times se",
        "\\boxed{42",
        "\\boxed{\\boxed{42}",
    ]
    assert [sample["answer"] for sample in result["samples"]] == ["42", "42", "42", None, "42"]
    assert (result["route"], result["answer"]) == ("direct", "42")


@pytest.mark.parametrize(
    ("rest", "fits"), [("42}", True), ("\\frac{1}{2}}", True), ("42} because", False), ("}", False)]
)
async def test_a_continued_reply_ends_with_its_answer_where_it_can_be_restricted(rest: str, fits: bool) -> None:
    _, client = await verify(["42}"] * 5)
    assert client.calls[0].sampling is not None
    assert bool(re.fullmatch(client.calls[0].sampling.pattern or "", rest)) is fits


async def test_a_continued_reply_is_not_restricted_where_it_cannot_be() -> None:
    _, client = await verify(["42}"] * 5, ["continued"])
    assert client.calls[0].sampling is not None
    assert client.calls[0].sampling.pattern is None


async def test_a_continued_verdict_is_one_of_the_labels() -> None:
    _, client = await verify(lambda *_: "A", task="pairwise", label_probabilities="never")
    assert client.calls[0].prompt[-1] == Message(role="assistant", content="**")
    assert client.calls[0].sampling is not None
    assert (client.calls[0].sampling.choices, client.calls[0].sampling.pattern) == (("A", "B", "C"), None)


async def test_an_answer_that_is_cut_before_its_end_is_a_lost_vote() -> None:
    result, _ = await verify([cut("4"), cut("42 apples are")] + ["41}"] * 3, stopping="all")
    assert [sample["answer"] for sample in result["samples"]] == [None, None, "41", "41", "41"]
    assert (result["uncertainty"]["value"], result["uncertainty"]["samples"]) == (0.6, 5)


async def test_a_server_that_cannot_continue_restricts_the_reply() -> None:
    result, client = await verify(["\\boxed{42}"] * 5, ["structured"])
    assert roles(client) == ["user"]
    assert client.calls[0].sampling is not None
    assert (client.calls[0].sampling.pattern or "").startswith("\\\\boxed\\{")
    assert (client.calls[0].sampling.choices, client.calls[0].sampling.stop) == ((), ())
    assert result["answer"] == "42"


async def test_without_a_form_the_request_is_plain() -> None:
    for forms, settings in (((), {}), (BOTH, {"fast_reply": "free"})):
        _, client = await verify(["\\boxed{42}"] * 5, forms, **settings)
        assert roles(client) == ["user"]
        assert client.calls[0].sampling is not None
        assert (client.calls[0].sampling.pattern, client.calls[0].sampling.stop) == (None, ())


@pytest.mark.parametrize("thinking", ["on", "default"])
async def test_a_model_that_may_think_starts_its_own_turn(thinking: str) -> None:
    _, client = await verify(["\\boxed{42}"] * 5, fast_thinking=thinking)
    assert roles(client) == ["user"]
    assert client.calls[0].sampling is not None
    assert client.calls[0].sampling.pattern is None


async def test_paths_start_their_own_turn() -> None:
    _, client = await verify(["1}", "2}", "3}", "4}", "5}"])
    assert {call.prompt[-1]["role"] for call in client.calls if ".expand_cot." in call.request_id} == {"user"}


@pytest.mark.parametrize(("stop", "sent"), [(None, ("\n",)), ((), ()), (("!",), ("!",))])
async def test_the_setting_stop_replaces_the_ends_of_the_prompt(stop: Any, sent: tuple[str, ...]) -> None:
    _, client = await verify(["42}"] * 5, stop=stop)
    assert client.calls[0].sampling is not None
    assert client.calls[0].sampling.stop == sent


async def test_seeds_do_not_depend_on_the_form() -> None:
    drawn = [(await verify(["42}"] * 5, fast_reply=form))[1].calls[0].seeds for form in (*BOTH, "free")]
    assert drawn == [drawn[0]] * 3


async def test_waves_and_speculation_continue_the_same_start() -> None:
    result, client = await verify(["42}", "41}", "42}", "42}", "42}"], speculate=True)
    fast = [call for call in client.calls if ".answer_fast." in call.request_id]
    assert [(len(call.seeds), call.prompt[-1]["content"]) for call in fast] == [(4, BOX), (1, BOX)]
    assert (result["answer"], result["uncertainty"]["value"]) == ("42", 0.8)


REFUSED: list[tuple[tuple[ReplyForm, ...], dict[str, Any], str]] = [
    (("structured",), {"fast_reply": "continued"}, "scripted cannot continue a started reply; set it to 'auto'"),
    (("continued",), {"fast_reply": "structured"}, "scripted cannot restrict a reply to a form; set it to 'auto'"),
    (BOTH, {"fast_reply": "continued", "prompts": "tiny"}, "the prompt answer_fast.md sets no reply_start"),
    (BOTH, {"fast_reply": "structured", "prompts": "tiny"}, "the prompt answer_fast.md sets no reply_pattern"),
    (BOTH, {"fast_reply": "continued", "fast_thinking": "on"}, "fast_thinking is 'on'"),
]


@pytest.mark.parametrize(("forms", "settings", "problem"), REFUSED)
def test_a_form_that_is_not_possible_is_refused(
    forms: tuple[ReplyForm, ...], settings: dict[str, Any], problem: str
) -> None:
    client = ScriptedClient(fast=[], reply_forms=forms)
    with pytest.raises(SettingsError, match=f"fast_reply is '{settings['fast_reply']}', and {problem}"):
        build_graph(Settings(task="answer", **settings), client=client, scorer=None)


async def test_a_run_cannot_ask_for_it_either() -> None:
    graph = build_graph(Settings(task="answer"), client=ScriptedClient(fast=["42"] * 5), scorer=None)
    with pytest.raises(SettingsError, match="fast_reply is 'continued', and scripted cannot"):
        await graph.ainvoke(QUESTION, context=RunSettings(fast_reply="continued"))


@pytest.mark.parametrize(
    ("api", "endpoint", "forms"),
    [
        (VLLM, "chat", ["continued", "structured"]),
        (VLLM, "completions", ["continued", "structured"]),
        (OPENAI, "chat", []),
        (OPENAI, "completions", ["continued"]),
    ],
)
def test_the_forms_of_a_server(api: ServerApi, endpoint: Endpoint, forms: list[ReplyForm]) -> None:
    assert ServerClient("m", api=api, endpoint=endpoint).reply_forms == forms


async def test_the_settings_can_try_a_started_reply_on_any_server() -> None:
    async def act(seen: Seen) -> Any:
        return await say("42}" if seen.body.get("continue_final_message") else "\\boxed{41}")(seen)

    for form, expected in (("auto", "41"), ("continued", "42")):
        async with FakeServer(act).running() as server:
            settings: dict[str, Any] = {"engine": "openai", "model": "m", "base_url": (server.url,), "fast_reply": form}
            graph = build_graph(Settings(**settings, task="answer"))
            assert (await graph.ainvoke(QUESTION))["verification"]["answer"] == expected
    with pytest.raises(SettingsError, match="m cannot restrict a reply to a form"):
        build_graph(Settings(engine="openai", model="m", fast_reply="structured"))


async def test_vllm_continues_a_box_by_default() -> None:
    async def act(seen: Seen) -> Any:
        return await say(*["42}"] * seen.body["n"])(seen)

    async with FakeServer(act).running() as server:
        graph = build_graph(Settings(engine="vllm", model="m", base_url=(server.url,), task="answer"))
        assert (await graph.ainvoke(QUESTION))["verification"]["answer"] == "42"
    assert server.bodies[0]["messages"][-1] == {"role": "assistant", "content": BOX}
    assert (server.bodies[0]["stop"], server.bodies[0]["continue_final_message"]) == (["\n"], True)
    assert server.bodies[0]["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False}


# Candidates


def judged(prompt: Sequence[Message], seed: int, request_id: str) -> str:
    label = longest(read_prompt(prompt[:1]), seed)
    return f"{label}** because" if prompt[-1]["role"] == "assistant" else label


async def test_a_verdict_continues_the_bold_mark_in_both_orders() -> None:
    result, client = await verify(judged, task="pairwise")
    assert [call.prompt[-1] for call in client.calls] == [Message(role="assistant", content="**")] * 2
    assert [call.sampling and call.sampling.stop for call in client.calls] == [("**", "\n")] * 2
    assert {(tuple(sample["order"]), sample["text"]) for sample in result["samples"]} == {
        (("A", "B"), "**B** because"),
        (("B", "A"), "**A** because"),
    }
    assert (result["winner"], result["rewards"], result["status"]) == (1, [0.0, 1.0], "ok")


async def test_a_verdict_that_the_model_ends_itself_is_read() -> None:
    result, _ = await verify(lambda prompt, *_: longest(read_prompt(prompt[:1]), 0), task="pairwise")
    assert (result["winner"], result["samples"][0]["text"] in ("**A", "**B")) == (1, True)


async def test_a_restricted_verdict_is_one_of_the_labels() -> None:
    result, client = await verify(judged, ["structured"], task="pairwise")
    assert [call.sampling and call.sampling.choices for call in client.calls] == [("A", "B", "C")] * 2
    assert (roles(client), result["winner"]) == (["user"], 1)


async def test_labels_are_read_after_the_bold_mark() -> None:
    def labels(prompt: Sequence[Message]) -> Mapping[str, float]:
        best = longest(read_prompt(prompt[:1]), 0)
        return {label: math.log(0.9 if label == best else 0.05) for label in "ABC"}

    client = ScriptedClient(judged, labels=labels, reply_forms=BOTH)
    graph = build_graph(Settings(task="pairwise"), client=client, scorer=None)
    result = (await graph.ainvoke(PAIR))["verification"]
    assert [call.prompt[-1]["content"] for call in client.calls] == ["**", "**"]
    assert (result["winner"], result["samples"], len(result["readings"])) == (1, [], 2)


async def test_labels_that_are_not_one_token_after_it_are_drawn() -> None:
    client = ScriptedClient(judged, labels=lambda _: Unsupported("'A' is two tokens"), reply_forms=BOTH)
    graph = build_graph(Settings(task="pairwise"), client=client, scorer=None)
    result = (await graph.ainvoke(PAIR))["verification"]
    assert (result["winner"], result["readings"], len(result["samples"])) == (1, [], 6)


# Records and the bundled model


@pytest.mark.parametrize(
    ("forms", "form", "text"),
    [(BOTH, "continued", "42}"), (("structured",), "structured", "\\boxed{42}"), ((), "free", "\\boxed{42}")],
)
async def test_the_record_has_the_form(forms: tuple[ReplyForm, ...], form: str, text: str) -> None:
    store = MemoryStore()
    client = ScriptedClient(fast=[text] * 5, reply_forms=forms)
    await recording_graph(client, store, task="answer", trace_level="summary").ainvoke(QUESTION)
    assert [call["reply_form"] for call in store.records[0]["calls"]] == [form]


@pytest.mark.parametrize(("task", "given"), [("arithmetic", {"question": "17+48-9"}), ("pairwise", PAIR)])
async def test_the_bundled_model_gets_the_same_requests(task: str, given: Any) -> None:
    given = {**given, "question": "17+48"} if task == "pairwise" else given
    store = MemoryStore()
    await build_graph(Settings(task=task, trace_level="full"), store=store).ainvoke(given)
    record = store.records[0]
    assert {call["reply_form"] for call in record["calls"]} == {"free"}
    assert {message["role"] for prompt in record["prompts"] for message in prompt} == {"user"}
    assert all(call["sampling"]["stop"] == [] for call in record["calls"])
