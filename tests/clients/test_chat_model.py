from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypedDict

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.graph import END, START, StateGraph
from pydantic import Field

from egrm_graph.clients.chat_model import ChatModelClient
from egrm_graph.clients.client import Client, Completion, Completions, Meter, Sampling
from egrm_graph.errors import MissingExtra, ServerError, SettingsError, SetupError, Unsupported
from egrm_graph.verification import Message

PROMPT: list[Message] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "17+48-9?"}]


class Model(BaseChatModel):
    """Answers with a function of itself, and so of the settings of the call."""

    answer: Callable[[Model], AIMessage]
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    seed: int | None = None
    seen: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "test"

    def _generate(self, messages: list[BaseMessage], *_: Any, **options: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **options: Any) -> ChatResult:
        assert not any(value for name, value in options.items() if name != "stop"), (
            "no call arguments: many models refuse those they do not know"
        )
        self.seen.append(messages)
        await asyncio.sleep(0)
        return ChatResult(generations=[ChatGeneration(message=self.answer(self))])


class Bare(BaseChatModel):
    """Declares no sampling options."""

    @property
    def _llm_type(self) -> str:
        return "bare"

    def _generate(self, messages: list[BaseMessage], *_: Any, **options: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage("56"))])


def seed_in_words(model: Model) -> AIMessage:
    return AIMessage(
        f"seed {model.seed}",
        usage_metadata={
            "input_tokens": 10,
            "output_tokens": 3,
            "total_tokens": 13,
            "input_token_details": {"cache_read": 4},
        },
        response_metadata={"finish_reason": "stop"},
    )


def saying(message: AIMessage) -> ChatModelClient:
    return ChatModelClient(Model(answer=lambda _: message))


async def draw(
    client: ChatModelClient, seeds: tuple[int, ...] = (0,), *, meter: Meter | None = None, **sampling: Any
) -> Completions:
    settings = Sampling(**{"temperature": 0.7, "max_tokens": 20, **sampling})
    return await client.sample(PROMPT, settings, seeds=seeds, request_id="r.answer_fast.0", meter=meter)


def test_is_a_client_without_logprobs() -> None:
    client = saying(AIMessage("56"))
    assert isinstance(client, Client)
    assert (client.name, client.gives_logprobs) == ("Model", False)


async def test_one_call_per_seed_in_the_order_of_the_seeds() -> None:
    meter = Meter()
    drawn = await draw(ChatModelClient(Model(answer=seed_in_words)), (5, 3, 4), meter=meter)
    assert drawn.completions == tuple(Completion(f"seed {seed}", "stop", 3) for seed in (5, 3, 4))
    assert drawn.usage == {
        "requests": 3,
        "prompt_tokens": 30,
        "cached_tokens": 12,
        "completion_tokens": 9,
        "cancelled_tokens": 0,
    }
    assert meter.n_tokens == 9


async def test_sampling_is_set_on_a_copy() -> None:
    found: list[tuple[object, ...]] = []

    def answer(model: Model) -> AIMessage:
        found.append((model.temperature, model.top_p, model.max_output_tokens, model.seed))
        return AIMessage("56")

    model = Model(answer=answer, temperature=0.1, top_p=0.2)
    await draw(ChatModelClient(model), (9,), top_p=0.9)
    await draw(ChatModelClient(model), (9,))
    assert found == [(0.7, 0.9, 20, 9), (0.7, None, 20, 9)]
    assert (model.temperature, model.top_p, model.max_output_tokens, model.seed) == (0.1, 0.2, None, None)


def test_a_model_without_a_temperature_is_refused() -> None:
    with pytest.raises(SettingsError, match="Bare declares no field `temperature`"):
        ChatModelClient(Bare())


async def test_the_samples_of_a_model_with_nothing_but_a_temperature_are_counted() -> None:
    class Warm(Bare):
        temperature: float | None = None

    drawn = await draw(ChatModelClient(Warm()), (0, 1))
    assert drawn.completions == (Completion("56", "stop", None),) * 2
    assert drawn.usage["requests"] == 2


def test_a_wrapped_model_has_the_name_of_the_model() -> None:
    class Named(Model):
        model_name: str = "sums-1"

    model = Named(answer=seed_in_words)
    wrapped = (model.with_retry(), model.bind(stop=["#"]), model.with_fallbacks([Model(answer=seed_in_words)]))
    assert [ChatModelClient(each).name for each in wrapped] == ["sums-1"] * 3


async def test_the_roles_of_the_prompt_are_kept() -> None:
    model = Model(answer=seed_in_words)
    await draw(ChatModelClient(model))
    assert [(message.type, message.content) for message in model.seen[0]] == [
        ("system", "Be brief."),
        ("human", "17+48-9?"),
    ]


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"finish_reason": "stop"}, "stop"),
        ({"finish_reason": "length"}, "length"),
        ({"finish_reason": "MAX_TOKENS"}, "length"),
        ({"stop_reason": "end_turn"}, "stop"),
        ({"stop_reason": "max_tokens"}, "length"),
        ({"done_reason": "length"}, "length"),
        ({"finish_reason": "content_filter"}, "abort"),
        ({"finish_reason": "a new word"}, "abort"),
        ({}, "stop"),
    ],
)
async def test_finish_reasons_of_several_providers(metadata: dict[str, str], reason: str) -> None:
    (completion,) = (await draw(saying(AIMessage("56", response_metadata=metadata)))).completions
    assert completion.finish_reason == reason
    assert (completion.error is None) == (reason != "abort")


async def test_text_blocks_are_joined_and_reasoning_is_separate() -> None:
    message = AIMessage(
        [
            {"type": "reasoning", "reasoning": "17+48=65"},
            {"type": "text", "text": "It is "},
            {"type": "text", "text": "56."},
        ]
    )
    (completion,) = (await draw(saying(message))).completions
    assert (completion.text, completion.thinking) == ("It is 56.", "17+48=65")


async def test_one_failure_among_others_is_a_lost_sample() -> None:
    def answer(model: Model) -> AIMessage:
        if model.seed == 1:
            raise ValueError("overloaded")
        return AIMessage("56")

    fine, lost = (await draw(ChatModelClient(Model(answer=answer)), (0, 1))).completions
    assert (fine.text, fine.error) == ("56", None)
    assert (lost.text, lost.finish_reason, lost.n_tokens) == ("", "abort", None)
    assert lost.error is not None
    assert "ValueError: overloaded" in lost.error


async def test_nothing_but_failures_raises_with_the_cause() -> None:
    def answer(_: Model) -> AIMessage:
        raise ValueError("overloaded")

    with pytest.raises(ServerError, match="overloaded") as raised:
        await draw(ChatModelClient(Model(answer=answer)), (0, 1))
    assert isinstance(raised.value.__cause__, ValueError)


async def test_cancelling_reaches_the_model() -> None:
    stopped: list[int | None] = []

    class Stalling(Model):
        async def _agenerate(self, messages: list[BaseMessage], *_: Any, **options: Any) -> ChatResult:
            try:
                await asyncio.sleep(60)
            finally:
                stopped.append(self.seed)
            raise AssertionError

    running = asyncio.create_task(draw(ChatModelClient(Stalling(answer=seed_in_words)), (1, 2)))
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sorted(stopped, key=str) == [1, 2]


@pytest.mark.parametrize("sampling", [{"logprobs": 1}, {"choices": ("A", "B")}, {"thinking_tokens": 9}])
async def test_what_chat_models_cannot_do_is_refused(sampling: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        await draw(saying(AIMessage("56")), **sampling)


async def test_label_logprobs_are_refused() -> None:
    with pytest.raises(Unsupported, match="log-probabilities"):
        await saying(AIMessage("A")).label_logprobs(PROMPT, ["A"], request_id="r.judge.0")


class Host(TypedDict):
    answer: str


class Recorder(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.n_model_calls = 0

    async def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self.n_model_calls += 1


async def streamed(ask: Callable[[], Awaitable[str]]) -> tuple[int, int]:
    """Messages in the host's token stream, and model calls that its callbacks saw."""

    async def verify(state: Host) -> Host:
        return {"answer": state["answer"] + await ask()}

    graph: StateGraph[Host] = StateGraph(Host)
    graph.add_node("verify", verify)
    graph.add_edge(START, "verify")
    graph.add_edge("verify", END)
    recorder = Recorder()
    stream = graph.compile().astream({"answer": ""}, {"callbacks": [recorder]}, stream_mode="messages")
    return len([part async for part in stream]), recorder.n_model_calls


async def test_a_host_graph_sees_nothing_of_the_calls() -> None:
    model = Model(answer=seed_in_words)
    client = ChatModelClient(model)

    async def ours() -> str:
        return (await draw(client, (1, 2))).completions[0].text

    async def leaking() -> str:
        return str((await model.ainvoke("17+48-9?")).text)

    assert await streamed(leaking) == (1, 1)
    assert await streamed(ours) == (0, 0)


def test_a_name_without_langchain_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain.chat_models", None)
    with pytest.raises(MissingExtra, match=r"pip install 'egrm-graph\[agents\]'"):
        ChatModelClient("openai:gpt-5")


def test_an_unknown_provider_is_a_setup_error() -> None:
    pytest.importorskip("langchain")
    with pytest.raises(SetupError, match="nobody:model"):
        ChatModelClient("nobody:model")


class Stopping(Bare):
    """Answers `65|56`: up to the stop text, or all of it. Or it refuses stop texts."""

    temperature: float = 1.0
    kind: Literal["honors", "ignores", "refuses"]
    stops: list[list[str] | None] = Field(default_factory=list)

    def _generate(self, messages: list[BaseMessage], stop: list[str] | None = None, *_: Any, **__: Any) -> ChatResult:
        self.stops.append(stop)
        if stop and self.kind == "refuses":
            raise ValueError("Unsupported parameter: 'stop' is not supported with this model.")
        text = "65" if stop and self.kind == "honors" else "65|56"
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])


@pytest.mark.parametrize("kind", ["honors", "ignores", "refuses"])
async def test_stop_texts_are_passed_and_the_text_ends_there(kind: Any) -> None:
    model = Stopping(kind=kind)
    drawn = await draw(ChatModelClient(model), stop=("|",))
    assert [(each.text, each.finish_reason) for each in drawn.completions] == [("65", "stop")]
    assert model.stops == ([["|"], None] if kind == "refuses" else [["|"]])


async def test_without_stop_texts_none_are_passed() -> None:
    model = Stopping(kind="refuses")
    drawn = await draw(ChatModelClient(model))
    assert (drawn.completions[0].text, model.stops) == ("65|56", [None])


async def test_another_failure_is_not_tried_again() -> None:
    def fail(_: Model) -> AIMessage:
        raise ValueError("no credit")

    model = Model(answer=fail)
    with pytest.raises(ServerError, match="no credit"):
        await draw(ChatModelClient(model), stop=("|",))
    assert len(model.seen) == 1
