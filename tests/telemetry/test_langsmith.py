"""What LangSmith receives from a run, and what a host graph's streams and callbacks must not see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langsmith import tracing_context

from egrm_graph import Settings, build_graph
from egrm_graph.clients.chat_model import ChatModelClient
from tests.tracing.collector import Collector, collecting

SETTINGS = Settings(preset="published", engine="chat_model", model="test:model", task="answer")
QUESTION: Any = {"question": "17+48-9"}


class Streaming(BaseChatModel):
    """Streams its answer token by token. No two answers are equal."""

    seed: int | None = None
    temperature: float | None = None

    @property
    def _llm_type(self) -> str:
        return "streaming"

    def _answer(self) -> str:
        return f"The answer is {self.seed}."

    def _generate(self, messages: list[BaseMessage], *_: Any, **options: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self._answer()))])

    def _stream(self, messages: list[BaseMessage], *_: Any, **options: Any) -> Iterator[ChatGenerationChunk]:
        for word in self._answer().split(" "):
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"{word} "))


class Host(TypedDict, total=False):
    question: str
    said: str
    verification: dict[str, Any]


class Recorder(AsyncCallbackHandler):
    def __init__(self) -> None:
        self.models = 0

    async def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self.models += 1


def graph() -> CompiledStateGraph[Any, Any, Any, Any]:
    return build_graph(SETTINGS, client=ChatModelClient(Streaming()), scorer=None)


def host() -> CompiledStateGraph[Any, Any, Any, Any]:
    """A host graph that calls its own model, then asks for a verdict."""

    async def speak(state: Host) -> Host:
        return {"said": str((await Streaming(seed=1).ainvoke("hello")).text)}

    builder: Any = StateGraph(Host)
    builder.add_node("speak", speak)
    builder.add_node("verify", graph())
    builder.add_edge(START, "speak")
    builder.add_edge("speak", "verify")
    builder.add_edge("verify", END)
    compiled: CompiledStateGraph[Any, Any, Any, Any] = builder.compile()
    return compiled


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as found:
        yield found


async def test_a_hosts_token_stream_contains_only_its_own_tokens() -> None:
    stream: Any = host().astream(QUESTION, stream_mode="messages", subgraphs=True)
    said = [(str(message.text), tuple(where)) async for where, (message, _) in stream if message.text]
    assert said == [("The ", ()), ("answer ", ()), ("is ", ()), ("1. ", ())]


async def test_a_hosts_events_contain_only_its_own_model_call() -> None:
    events: list[Any] = [event async for event in host().astream_events(QUESTION, version="v2")]
    assert [event["metadata"]["langgraph_node"] for event in events if event["event"] == "on_chat_model_start"] == [
        "speak"
    ]


async def test_a_hosts_callbacks_see_only_its_own_model_call() -> None:
    recorder = Recorder()
    await host().ainvoke(QUESTION, {"callbacks": [recorder]})
    assert recorder.models == 1


async def test_langsmith_sees_every_model_call_under_its_node(collector: Collector) -> None:
    await host().ainvoke(QUESTION, {"callbacks": [collector.tracer()]})
    assert collector.under("LangGraph") == ["speak", "verify"]
    fast = [name for name in collector.under("answer_fast") if ".answer_fast." in name]
    paths = [name for name in collector.under("expand_cot") if ".expand_cot." in name]
    # After four different answers, a fifth could not make the gate certain.
    assert (len(fast), len(paths)) == (4, 4)


def test_langsmith_sees_every_model_call_of_a_sync_run(collector: Collector) -> None:
    graph().invoke(QUESTION, {"callbacks": [collector.tracer()]})
    assert len([name for name in collector.under("expand_cot") if ".expand_cot." in name]) == 4


async def test_tracing_enabled_around_a_run_sees_every_model_call(collector: Collector) -> None:
    with tracing_context(enabled=True, client=collector.client()):
        await graph().ainvoke(QUESTION)
    assert collector.under("egrm") == [
        "answer_fast",
        "check_uncertainty",
        "expand_cot",
        "score_paths",
        "select_answer",
    ]
    assert len([name for name in collector.under("expand_cot") if ".expand_cot." in name]) == 4


async def test_a_run_has_tags_and_metadata_to_find_it_by(collector: Collector) -> None:
    config: Any = {"callbacks": [collector.tracer()], "tags": ["mine"], "metadata": {"thread": "7"}}
    await graph().ainvoke(QUESTION, config)
    run = collector.named("egrm")
    assert set(run["tags"]) == {"mine", "egrm", "egrm:answer", "egrm:reasoned", "egrm:ok"}
    metadata = {name: value for name, value in run["extra"]["metadata"].items() if name == "thread" or "egrm" in name}
    assert metadata == {
        "thread": "7",
        "egrm_engine": "chat_model",
        "egrm_model": "test:model",
        "egrm_task": "answer",
        "egrm_measure": "consensus",
        "egrm_threshold": 0.8,
        "egrm_samples": 5,
        "egrm_paths": 4,
        "egrm_path_stopping": "all",
        "egrm_route": "reasoned",
        "egrm_status": "ok",
        "egrm_confidence": 0.25,
    }


async def test_the_outcome_does_not_change_the_callers_tags_and_metadata(collector: Collector) -> None:
    config: Any = {"callbacks": [collector.tracer()], "tags": ["mine"], "metadata": {"thread": "7"}}
    await host().ainvoke(QUESTION, config)
    assert (config["tags"], config["metadata"]) == (["mine"], {"thread": "7"})
    assert collector.named("LangGraph")["tags"] == ["mine"]
    assert "egrm_route" not in collector.named("LangGraph")["extra"]["metadata"]
    assert collector.under("verify") == ["egrm"]
    assert "egrm:reasoned" in collector.named("egrm")["tags"]
