"""Tests that 20,000 generated replies, messages, and inputs are read, or refused with an error of this package.

A text counts only if it was sent in full, marked as complete, and readable. The generators know what they sent, so they
are the oracle. Most cases go to the readers, in batches. Some go through a real HTTP server, and some through the full
graph.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from egrm_graph import Settings, build_graph
from egrm_graph.answers.started_reply import opened_answer
from egrm_graph.clients.chat_model import ChatModelClient
from egrm_graph.clients.client import Completion, Meter, Sampling
from egrm_graph.clients.finish import read_finish
from egrm_graph.clients.server_answers import read_completions, read_label_logprobs, read_usage
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.clients.server_errors import refusal
from egrm_graph.clients.server_requests import Endpoint
from egrm_graph.clients.server_stream import StreamedAnswer, TokenTally
from egrm_graph.clients.transport import parse_json
from egrm_graph.drawing.samples import logprobs_of
from egrm_graph.errors import EgrmError
from egrm_graph.integrations.evaluator_inputs import candidate_in, find_question, question_before_answer, reference_in
from egrm_graph.messages.candidates import read_candidates
from tests.clients.fake_server import FakeServer, Seen
from tests.clients.test_chat_model import Model
from tests.robustness.replies import (
    BATCH,
    CLEAN,
    JUNK,
    TEXTS,
    EventFormat,
    Reply,
    batches,
    cut,
    event_format,
    finish,
    labels,
    reply,
    spoiled,
    streamed,
    written,
)

IN_BATCHES = {
    "replies": 5500,
    "labels": 500,
    "spoiled replies": 3000,
    "streams": 3600,
    "broken streams": 2000,
    "finish reasons": 2500,
    "refusals": 600,
    "chat models": 500,
    "candidates": 1000,
    "evaluator inputs": 500,
}
ONE_BY_ONE = {"over HTTP": 200, "full graph": 100}
SAMPLING = Sampling(temperature=1.0, max_tokens=8, logprobs=2)
PROMPT: Any = [{"role": "user", "content": "17+11?"}]


def cases(kind: str) -> settings:
    """Return hypothesis settings for the number of cases of a kind, the same cases each time."""
    examples = ONE_BY_ONE[kind] if kind in ONE_BY_ONE else IN_BATCHES[kind] // BATCH
    return settings(max_examples=examples, deadline=None, database=None, derandomize=True)


def test_there_are_twenty_thousand_cases() -> None:
    assert sum(IN_BATCHES.values()) + sum(ONE_BY_ONE.values()) == 20_000


def complete(drawn: dict[int, Completion]) -> dict[int, str]:
    """Return the texts that count, by index."""
    for completion in drawn.values():
        assert (completion.error is None) == (completion.finish_reason != "abort")
        completion.text.encode()
        logprobs_of(completion)
    return {i: completion.text for i, completion in drawn.items() if completion.finish_reason == "stop"}


def read(content: bytes, n: int) -> dict[int, str]:
    body = parse_json("URL", content)
    assert all(isinstance(value, int) and 0 <= value < 2**63 for value in read_usage(body).values())
    return complete(read_completions(body, SAMPLING, n))


def read_parts(parts: list[bytes], n: int) -> dict[int, str]:
    answer = StreamedAnswer("URL", TokenTally(Meter()))
    for part in parts:
        answer.feed(part)
    body = answer.assembled()
    assert all(isinstance(value, int) and 0 <= value < 2**63 for value in read_usage(body).values())
    return complete(read_completions(body, SAMPLING, n))


def refused(work: Callable[[], object]) -> bool:
    """Return whether a call raises an error of this package. Other errors are not caught."""
    try:
        work()
    except EgrmError:
        return True
    return False


@cases("replies")
@given(batches(reply))
def test_exactly_the_complete_and_readable_texts_of_a_reply_count(batch: list[Reply]) -> None:
    for n, body, readable in batch:
        content = json.dumps(body).encode()
        if not body["choices"]:
            assert refused(lambda content=content, n=n: read(content, n))  # type: ignore[misc]
        else:
            assert read(content, n) == {i: text for i, text in readable.items() if i < n}


@cases("spoiled replies")
@given(batches(spoiled))
def test_a_spoiled_reply_is_read_or_refused(batch: list[tuple[int, Any]]) -> None:
    for n, body in batch:
        try:
            texts = read(json.dumps(body).encode(), n)
        except EgrmError:
            continue
        assert set(texts) <= set(range(n))
        assert set(texts.values()) <= {*TEXTS, "junk", "\ufffd"}  # junk may be a text in the right place


@cases("labels")
@given(batches(labels))
def test_the_log_probabilities_of_labels_are_read_or_refused(batch: list[tuple[Endpoint, Any]]) -> None:
    for route, body in batch:
        try:
            found = read_label_logprobs(route, parse_json("URL", json.dumps(body).encode()))
        except EgrmError:
            continue
        assert set(found) <= {65, *(value for value in JUNK if type(value) is int)}


def stream(random: Random) -> tuple[Reply, EventFormat, int, int]:
    """Generate a reply, its event format, the characters per chunk, and the bytes per part."""
    return reply(random), event_format(random), random.randint(1, 9), random.randint(1, 400)


@cases("streams")
@given(batches(stream))
def test_exactly_the_complete_and_readable_texts_of_a_stream_count(
    batch: list[tuple[Reply, EventFormat, int, int]],
) -> None:
    for (n, body, readable), by, characters, size in batch:
        for i, choice in enumerate(body["choices"]):
            choice["index"] = i  # distinguishes its chunks from those of others
        parts = cut(written(streamed(body, characters), by), size)
        if not body["choices"]:
            assert refused(lambda parts=parts, n=n: read_parts(parts, n))  # type: ignore[misc]
        else:
            assert read_parts(parts, n) == {i: text for i, text in readable.items() if i < n}


def broken(random: Random) -> tuple[Reply, list[bytes]]:
    """Generate a reply, and its stream up to a random byte, perhaps followed by junk."""
    sent = reply(random)
    content = written(streamed(sent[1], 3), event_format(random))
    junk = random.choice([b"", b"", b"\n", b"\xff", b"{", b"data: 3\n\n", b"data: [DONE]"])
    return sent, cut(content[: random.randint(0, len(content))] + junk, 50)


@cases("broken streams")
@given(batches(broken))
def test_a_broken_stream_gives_only_complete_texts(batch: list[tuple[Reply, list[bytes]]]) -> None:
    for (n, _, readable), parts in batch:
        try:
            texts = read_parts(parts, n)
        except EgrmError:
            continue
        assert texts.items() <= readable.items()


def stated(metadata: dict[str, Any]) -> list[Any]:
    """Return the words in the metadata, and the values in place of words."""
    return [value for value in metadata.values() if value not in (None, "", {})]


@cases("finish reasons")
@given(batches(finish))
def test_only_known_words_mean_that_a_text_is_complete(batch: list[dict[str, Any]]) -> None:
    for metadata in batch:
        found, words = read_finish(metadata), stated(metadata)
        assert (found is None) == (not words)
        if found is not None and found.kind == "complete":
            # vLLM reports the matched stop text, which can be anything, in addition to its finish reason.
            others = {key: word for key, word in metadata.items() if not key.startswith(("stop_reason", "stopReason"))}
            assert any(word in CLEAN for word in words)
            assert all(word in CLEAN for word in stated(others))
        elif found is not None:
            assert any(word not in CLEAN for word in words)


def refused_with(random: Random) -> tuple[int, Any]:
    """Generate a status and the body of an error."""
    one, other = random.choice(JUNK), random.choice(JUNK)
    bodies = [one, {"error": one}, {"error": {"message": one, "code": other}}, {"detail": one}, [{"error": one}]]
    return random.choice([400, 401, 413, 422, 429, 500, 503]), random.choice(bodies)


@cases("refusals")
@given(batches(refused_with))
def test_every_refusal_becomes_an_error_of_this_package(batch: list[tuple[int, Any]]) -> None:
    for status, body in batch:
        error = refusal("URL", status, {}, json.dumps(body))
        assert isinstance(error, EgrmError)
        assert str(error)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


BLOCKS: list[Any] = [
    *({"type": "text", "text": "28"}, {"type": "reasoning", "reasoning": "Hm."}, {"type": "refusal", "refusal": "No."}),
    *({"type": "image_url", "image_url": {"url": "https://x.org/a.png"}}, {"type": "text"}, {"type": "nobody's"}, "28"),
]


def message(random: Random) -> AIMessage:
    """Generate an answer of a LangChain chat model."""
    blocks = random.choices(BLOCKS, k=random.randint(0, 3))
    content: Any = random.choice([*TEXTS, blocks, blocks, blocks])
    return AIMessage(content=content, response_metadata=finish(random))


@cases("chat models")
@given(batches(message))
def test_a_chat_models_answer_counts_only_if_it_is_complete(runner: asyncio.Runner, batch: list[AIMessage]) -> None:
    for answer in batch:
        client = ChatModelClient(Model(answer=lambda _, answer=answer: answer))
        try:
            drawn = runner.run(client.sample(PROMPT, Sampling(1.0, 8), seeds=(0,), request_id="r.answer_fast.0"))
        except EgrmError:
            continue
        if drawn.completions[0].finish_reason == "stop":
            words = stated(answer.response_metadata)
            assert not words or any(word in CLEAN for word in words)
            assert isinstance(answer.content, str) or BLOCKS[2] not in answer.content


MESSAGES: list[Any] = [
    *(*TEXTS[:4], *JUNK, AIMessage("28"), ("ai", "28"), ["ai", "28"]),
    *({"role": "assistant"}, {"role": "nobody", "content": ""}, {"role": "assistant", "content": BLOCKS}),
    *({"role": "assistant", "content": content} for content in ("28", None, 28, *([block] for block in BLOCKS))),
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{"}}]},
    {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "args": {"x": 1}, "id": None}]},
    {"role": "assistant", "content": "", "tool_calls": JUNK},
    {"role": "tool", "content": "3"},
    {"type": "ai", "content": "28"},
]


def candidates(random: Random) -> Any:
    """Generate a value for `candidates`."""
    return random.choice([random.choices(MESSAGES, k=random.randint(0, 4)), random.choice(MESSAGES)])


@cases("candidates")
@given(batches(candidates))
def test_candidates_are_read_or_refused(batch: list[Any]) -> None:
    for values in batch:
        try:
            found = read_candidates(values)
        except EgrmError:
            continue
        assert len(found) == len(values)
        assert all(candidate.unfit is None or not candidate.text for candidate in found)


def evaluated(random: Random) -> tuple[Any, str | None]:
    """Generate an argument of an evaluator, and a key."""
    keys = random.sample(["question", "answer", "messages", "a"], random.randint(0, 2))
    value = random.choice([{key: candidates(random) for key in keys}, candidates(random)])
    return value, random.choice([None, "answer", "b"])


@cases("evaluator inputs")
@given(batches(evaluated))
def test_arguments_of_evaluators_are_read_or_refused(batch: list[tuple[Any, str | None]]) -> None:
    for value, key in batch:
        for find in (find_question, candidate_in, reference_in):
            refused(lambda find=find, value=value, key=key: find(value, key))  # type: ignore[misc]
        refused(lambda value=value: question_before_answer(value))  # type: ignore[misc]


class Replying:
    """A server whose replies are set before each case. It repeats the last one."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.streams = False

    async def act(self, _seen: Seen) -> web.Response:
        body = self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0]
        if self.streams:
            by = EventFormat(data="data:", end="data:[DONE]")
            return web.Response(body=written(streamed(body, 3), by), content_type="text/event-stream")
        return web.Response(body=json.dumps(body).encode(), content_type="application/json")


@pytest.fixture(scope="module")
def replying() -> Replying:
    return Replying()


@pytest.fixture(scope="module")
def client(runner: asyncio.Runner, replying: Replying) -> Iterator[ServerClient]:
    server = FakeServer(replying.act)
    running = server.running()
    runner.run(running.__aenter__())
    client = ServerClient("tiny", [server.url], attempts=1)
    yield client
    runner.run(client.aclose())
    runner.run(running.__aexit__(None, None, None))


SEEDS = st.integers(0, 2**64 - 1)


@cases("over HTTP")
@given(SEEDS)
def test_a_reply_over_http_is_read_or_refused(
    runner: asyncio.Runner, replying: Replying, client: ServerClient, seed: int
) -> None:
    random = Random(seed)
    (n, body, readable), replying.streams = reply(random), random.random() < 0.5
    spoils = not replying.streams and random.random() < 0.5
    replying.bodies = [spoiled(random)[1] if spoils else body]
    sampling = client.sample(
        PROMPT, SAMPLING, seeds=range(n), request_id="r.answer_fast.0", meter=Meter() if seed % 2 else None
    )
    try:
        drawn = runner.run(sampling)
    except EgrmError:
        return
    assert len(drawn.completions) == n
    assert spoils or set(complete(dict(enumerate(drawn.completions))).values()) <= set(readable.values())


@pytest.fixture(scope="module", params=["free", "continued"])
def start_and_graph(request: pytest.FixtureRequest, client: ServerClient) -> tuple[str, Any]:
    """The start of each fast answer, and the graph."""
    chosen = Settings(
        task="answer", engine="vllm", model="tiny", samples=3, paths=2, stopping="all", fast_reply=request.param
    )
    return "" if request.param == "free" else "\\boxed{", build_graph(chosen, client=client, scorer=None)


@cases("full graph")
@given(SEEDS)
def test_a_run_is_ok_only_if_every_reply_is_complete_and_readable(
    runner: asyncio.Runner, replying: Replying, start_and_graph: tuple[str, Any], seed: int
) -> None:
    start, graph = start_and_graph
    random = Random(seed)
    sent = [reply(random) for _ in range(random.randint(1, 3))]
    replying.bodies, replying.streams = [body for _, body, _ in sent], False
    verification = runner.run(graph.ainvoke({"question": "17+11?"}))["verification"]
    texts = {text for _, _, readable in sent for text in readable.values()}
    drawn = [*verification["samples"], *verification["paths"]]
    voted = [item for item in drawn if item["answer"] is not None]
    started = {start + text for text in texts}
    for item in voted:
        fast = item in verification["samples"]
        # A started answer may be cut once it is closed: nothing after that is read.
        closed = fast and bool(start) and opened_answer(start, item["text"]) is not None
        assert closed or (item["text"] in (started if fast else texts) and item["finish_reason"] == "stop")
    if verification["status"] == "ok":
        assert verification["answer"] in [item["answer"] for item in voted]
        assert all(item["error"] is None for item in drawn)
    for score in (verification["confidence"], *(path["score"] for path in verification["paths"])):
        assert score is None or (isinstance(score, float) and not math.isnan(score))
