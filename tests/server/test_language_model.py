"""A real language model behind a real vLLM server: SmolLM2-135M-Instruct, which `tests.smollm2` unpacks.

It is too small to be right often. These tests check what does not depend on that: the chat template, started turns,
stop texts, labels, several languages, limits, and that the model in this process writes the same text.
"""

import asyncio
import os
import re
import statistics
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage

from egrm_graph import Settings, build_graph
from egrm_graph.answers.thinking import spoken
from egrm_graph.clients.client import Completion, Meter, Sampling
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.errors import ContextTooLong
from egrm_graph.verification import Message
from tests.server.conftest import Served
from tests.server.metrics import metric, until
from tests.smollm2 import NAME

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

GREEDY = Sampling(temperature=0.0, max_tokens=24, thinking="off")
QUESTIONS = {
    "English": "What is 17 + 48 - 9?",
    "German": "Wie viel ist 17 + 48 - 9?",
    "Spanish": "¿Cuánto es 17 + 48 - 9?",
    "Russian": "Сколько будет 17 + 48 - 9?",
    "Chinese": "17 + 48 - 9 等于多少?",
    "Arabic": "كم يساوي 17 + 48 - 9؟",
}
PAIR = {
    "question": "What is the capital of France?",
    "candidates": ["Paris is the capital of France.", "Berlin is the capital of France."],
}


def user(text: str) -> list[Message]:
    return [Message(role="user", content=text)]


def started(text: str, start: str) -> list[Message]:
    return [*user(text), Message(role="assistant", content=start)]


@pytest.fixture
async def client(real_language_model: Served) -> AsyncIterator[ServerClient]:
    client = ServerClient(real_language_model.name, [real_language_model.base_url], request_timeout_s=120)
    yield client
    await client.aclose()


@pytest.fixture(scope="module")
def embedded() -> EmbeddedClient:
    return EmbeddedClient.load(Path(os.environ["EGRM_MODELS"]) / NAME)


async def one(client: ServerClient | EmbeddedClient, prompt: Sequence[Message], sampling: Sampling) -> Completion:
    drawn = await client.sample(prompt, sampling, seeds=(7,), request_id="test")
    return drawn.completions[0]


def graph_on(served: Served, **changes: Any) -> Any:
    return build_graph(
        Settings(
            engine="vllm",
            model=served.name,
            base_url=(served.base_url,),
            **{"path_max_tokens": 48, "paths": 2, **changes},
        )
    )


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
async def test_the_model_in_this_process_writes_the_same_text(
    client: ServerClient, embedded: EmbeddedClient, question: str
) -> None:
    served, here = await one(client, user(question), GREEDY), await one(embedded, user(question), GREEDY)
    assert served.text
    assert (served.text, served.finish_reason, served.n_tokens) == (here.text, here.finish_reason, here.n_tokens)


@pytest.mark.parametrize("start", ["\\boxed{", "**", "The answer is"])
async def test_a_started_turn_continues_alike_in_both(
    client: ServerClient, embedded: EmbeddedClient, start: str
) -> None:
    prompt = started(QUESTIONS["English"], start)
    served, here = await one(client, prompt, GREEDY), await one(embedded, prompt, GREEDY)
    assert served.text == here.text
    assert not served.text.startswith(start)
    assert served.text != (await one(client, user(QUESTIONS["English"]), GREEDY)).text


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
async def test_fast_answers_are_short_and_readable(real_language_model: Served, question: str) -> None:
    result = await graph_on(real_language_model, threshold=0.0, samples=16).ainvoke({"question": question})
    samples = result["verification"]["samples"]
    assert all(sample["text"].startswith("\\boxed{") for sample in samples)
    assert sum(sample["answer"] is not None for sample in samples) >= 0.8 * len(samples)
    assert statistics.median(sample["n_tokens"] for sample in samples) <= 8


async def test_without_a_started_turn_the_same_model_rambles(real_language_model: Served) -> None:
    tokens = {}
    for form in ("free", "continued", "structured"):
        graph = graph_on(real_language_model, threshold=0.0, samples=4, stopping="all", fast_reply=form)
        samples = [
            sample
            for question in list(QUESTIONS.values())[:2]
            for sample in (await graph.ainvoke({"question": question}))["verification"]["samples"]
        ]
        tokens[form] = sum(sample["n_tokens"] for sample in samples) / len(samples)
    assert tokens["continued"] < tokens["free"] / 2
    assert tokens["structured"] < tokens["free"]


async def test_a_structured_reply_has_the_form_of_its_pattern(client: ServerClient) -> None:
    sampling = Sampling(temperature=1.0, max_tokens=40, pattern=r"\\boxed\{[0-9]{1,4}\}")
    drawn = await client.sample(user(QUESTIONS["English"]), sampling, seeds=range(8), request_id="test")
    assert all(re.fullmatch(r"\\boxed\{[0-9]{1,4}\}", each.text) for each in drawn.completions)


async def test_a_reply_ends_before_a_stop_text(client: ServerClient) -> None:
    unstopped = await one(client, user("Count from 1 to 9."), replace(GREEDY, max_tokens=64))
    stop = unstopped.text[len(unstopped.text) // 2 :][:2]
    stopped = await one(client, user("Count from 1 to 9."), replace(GREEDY, max_tokens=64, stop=(stop,)))
    assert stopped.text == unstopped.text.partition(stop)[0]
    assert stopped.finish_reason == "stop"


@pytest.mark.parametrize("labels", [("A", "B", "C"), ("1", "2", "3", "4", "5")], ids=["letters", "digits"])
async def test_labels_are_single_tokens_in_their_place(
    client: ServerClient, embedded: EmbeddedClient, labels: tuple[str, ...]
) -> None:
    prompt = started(f"Reply with one of {', '.join(labels)}, in bold, and nothing else.", "**")
    served = await client.label_logprobs(prompt, labels, request_id="test")
    here = await embedded.label_logprobs(prompt, labels, request_id="test")
    assert dict(served.logprobs) == pytest.approx(dict(here.logprobs), abs=1e-3)
    drawn = await client.sample(prompt, Sampling(temperature=1.0, max_tokens=1), seeds=range(100), request_id="test")
    texts = [each.text for each in drawn.completions]
    for label in labels:
        probability = 2.718281828 ** served.logprobs[label]
        assert texts.count(label) / len(texts) == pytest.approx(probability, abs=0.2)


@pytest.mark.parametrize("swapped", [False, True])
async def test_a_pair_is_judged_by_the_probabilities_of_labels(real_language_model: Served, swapped: bool) -> None:
    graph = graph_on(real_language_model, task="pairwise", threshold=0.0)
    asked = dict(PAIR, candidates=PAIR["candidates"][::-1]) if swapped else PAIR
    verification = (await graph.ainvoke(asked))["verification"]
    assert {tuple(reading["order"]) for reading in verification["readings"]} == {("A", "B"), ("B", "A")}
    assert all(reading["error"] is None and reading["mass"] > 0.5 for reading in verification["readings"])
    assert verification["usage"]["completion_tokens"] == 2


async def test_swapping_the_candidates_changes_no_verdict(real_language_model: Served) -> None:
    graph = graph_on(real_language_model, task="pairwise", threshold=0.0)
    rewards = (await graph.ainvoke(PAIR))["verification"]["rewards"]
    swapped = (await graph.ainvoke(dict(PAIR, candidates=PAIR["candidates"][::-1])))["verification"]["rewards"]
    assert rewards == pytest.approx(swapped[::-1], abs=1e-3)


async def test_tool_calls_are_judged(real_language_model: Served) -> None:
    call = {"name": "weather", "args": {"city": "Paris"}, "id": "1"}
    candidates = [AIMessage("", tool_calls=[call]), AIMessage("I cannot look that up.")]
    graph = graph_on(real_language_model, task="tool_calls", threshold=0.0, label_probabilities="never")
    given = {
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "candidates": candidates,
        "tools": [{"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}],
    }
    verification = (await graph.ainvoke(given))["verification"]
    assert verification["status"] == "ok"
    assert sum(verification["rewards"]) == pytest.approx(1)


@pytest.mark.parametrize("thinking", ["off", "on", "default"])
async def test_a_template_without_thinking_ignores_the_switch(client: ServerClient, thinking: Any) -> None:
    plain = await one(client, user(QUESTIONS["English"]), replace(GREEDY, thinking="default"))
    switched = await one(client, user(QUESTIONS["English"]), replace(GREEDY, thinking=thinking))
    assert switched.text == plain.text
    assert spoken(switched.text) is not None


async def test_a_prompt_longer_than_the_context_is_refused_with_its_length(client: ServerClient) -> None:
    with pytest.raises(ContextTooLong, match=r"\d{4}"):
        await one(client, user("word " * 9000), GREEDY)


async def test_a_long_question_loses_only_itself(real_language_model: Served) -> None:
    graph = graph_on(real_language_model, threshold=0.0)
    long, short = await asyncio.gather(
        graph.ainvoke({"question": "word " * 9000}), graph.ainvoke({"question": QUESTIONS["English"]})
    )
    assert long["verification"]["status"] == "abstained"
    assert long["verification"]["answer"] is None
    assert any("context" in reason for reason in long["verification"]["reasons"])
    assert short["verification"]["status"] != "abstained"


async def test_canceling_ends_generation_on_the_server(real_language_model: Served, client: ServerClient) -> None:
    running = "vllm:num_requests_running"
    long = Sampling(temperature=1.0, max_tokens=2000)
    task = asyncio.create_task(
        client.sample(user("Tell a long story."), long, seeds=range(4), request_id="test", meter=Meter())
    )
    await until(real_language_model, running, lambda value: value > 0, timeout_s=30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(real_language_model, running, lambda value: value == 0, timeout_s=30)
    assert await metric(real_language_model, running) == 0
