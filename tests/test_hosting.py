"""Tests for the graph in its callers: sync and async, streamed, batched, checkpointed, and inside a host graph."""

import asyncio
import operator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph

from egrm_graph import RunSettings, Settings, build_graph
from egrm_graph.clients.scripted import Delay, Item, ScriptedClient
from egrm_graph.errors import InputError

PATH = "17+48=65;65-9=56;#56"
QUESTION: Any = {"question": "17+48-9"}


def unsure(**options: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
    client = ScriptedClient(fast=["57", "56", "57", "56", "57"], paths=[PATH] * 4)
    return build_graph(Settings(preset="published", task="arithmetic"), client=client, scorer=None, **options)


def sure(answer: str = "56", **options: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
    client = ScriptedClient(fast=[answer] * 5, paths=[PATH] * 4)
    return build_graph(Settings(preset="published", task="arithmetic"), client=client, scorer=None, **options)


def test_invoke_and_batch_work_without_an_event_loop() -> None:
    graph = unsure()
    assert graph.invoke(QUESTION)["verification"]["answer"] == "56"
    assert [out["verification"]["answer"] for out in graph.batch([QUESTION] * 20)] == ["56"] * 20


async def test_invoke_works_inside_a_running_event_loop() -> None:
    assert unsure().invoke(QUESTION)["verification"]["answer"] == "56"


async def test_ainvoke_and_abatch() -> None:
    outputs = await unsure().abatch([QUESTION] * 20)
    assert [out["verification"]["answer"] for out in outputs] == ["56"] * 20


def test_the_output_has_messages_only_if_the_input_has() -> None:
    assert list(unsure().invoke(QUESTION)) == ["verification"]
    assert list(unsure().invoke({"messages": [HumanMessage("17+48-9")]})) == ["verification", "messages"]


def test_the_answer_is_the_next_message_with_the_run_in_its_metadata() -> None:
    question = HumanMessage("17+48-9")
    out: Any = sure().invoke({"messages": [question]})
    verification = out["verification"]
    metadata = {name: verification[name] for name in ("run_id", "status", "route", "confidence")}
    assert out["messages"] == [
        question,
        AIMessage("56", id=f"egrm-{verification['run_id']}", response_metadata={"egrm": metadata}),
    ]


def test_stream_yields_an_update_per_node_and_an_event_per_sample() -> None:
    events: Any = list(unsure().stream(QUESTION, stream_mode=["updates", "custom"]))
    nodes = [next(iter(update)) for mode, update in events if mode == "updates"]
    samples = [(event["node"], event["i"]) for mode, event in events if mode == "custom"]
    assert nodes == ["answer_fast", "check_uncertainty", "expand_cot", "score_paths", "select_answer"]
    assert samples == [("answer_fast", i) for i in range(4)] + [("expand_cot", i) for i in range(4)]


async def test_astream_yields_each_path_when_it_arrives() -> None:
    paths: list[Item] = [Delay(0.6, PATH), Delay(0.3, PATH), PATH, Delay(0.9, PATH)]
    client = ScriptedClient(fast=["57", "56", "57", "56", "57"], paths=paths)
    graph = build_graph(Settings(preset="published", task="arithmetic"), client=client, scorer=None)
    order = [
        event["i"] async for event in graph.astream(QUESTION, stream_mode="custom") if event["node"] == "expand_cot"
    ]
    assert order == [2, 1, 0, 3]


@pytest.mark.parametrize("sync", [True, False])
async def test_a_second_run_on_a_thread_starts_with_a_fresh_state(sync: bool) -> None:
    graph = unsure(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}

    async def run(inputs: Any, **options: Any) -> Any:
        return graph.invoke(inputs, config, **options) if sync else await graph.ainvoke(inputs, config, **options)

    first = (await run({**QUESTION, "reference": "56"}))["verification"]
    second = (await run({"question": "57+0"}, context=RunSettings(threshold=0.5)))["verification"]
    assert (first["route"], first["correct"], len(first["paths"])) == ("reasoned", True, 4)
    assert (second["route"], second["correct"], second["paths"], second["reasons"]) == ("direct", None, [], [])


def test_an_earlier_question_on_the_thread_is_not_asked_again() -> None:
    graph = sure(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    graph.invoke(QUESTION, config)
    with pytest.raises(InputError, match="there is nothing to ask"):
        graph.invoke({"reference": "1"}, config)


def test_a_conversation_ends_with_the_question() -> None:
    client = ScriptedClient(fast=["56"] * 5)
    graph = build_graph(Settings(preset="published", task="arithmetic"), client=client, scorer=None)
    messages: list[AnyMessage] = [
        SystemMessage("Be exact."),
        HumanMessage("1+1"),
        AIMessage("2"),
        HumanMessage([{"type": "text", "text": "17+48-9"}]),
    ]
    assert graph.invoke({"messages": messages})["verification"]["answer"] == "56"
    assert [(message["role"], message["content"]) for message in client.calls[0].prompt] == [
        ("system", "Be exact."),
        ("user", "1+1"),
        ("assistant", "2"),
        ("user", "17+48-9="),
    ]


def test_a_conversation_that_ends_with_the_assistant_is_refused() -> None:
    with pytest.raises(InputError, match="the last message is the assistant's"):
        sure().invoke({"messages": [HumanMessage("1+1"), AIMessage("2")]})


class Host(TypedDict, total=False):
    """A host state whose keys clash with private keys of the graph."""

    question: str
    messages: Annotated[list[AnyMessage], add_messages]
    asked: str
    drawn: Annotated[list[str], operator.add]
    paths: int
    verification: dict[str, Any]


class HostContext(TypedDict):
    threshold: str


def host(inner: Any, **options: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
    builder: Any = StateGraph(Host, context_schema=options.pop("context_schema", None))
    builder.add_node("before", lambda state: {"asked": "mine", "drawn": ["mine"], "paths": 7})
    builder.add_node("verify", inner)
    builder.add_edge(START, "before")
    builder.add_edge("before", "verify")
    builder.add_edge("verify", END)
    compiled: CompiledStateGraph[Any, Any, Any, Any] = builder.compile(**options)
    return compiled


@pytest.mark.parametrize("checkpointed", [True, False])
def test_a_subgraph_changes_only_verification_and_messages_of_its_host(checkpointed: bool) -> None:
    outer = host(unsure(), checkpointer=InMemorySaver() if checkpointed else None)
    config: Any = {"configurable": {"thread_id": "1"}}
    inputs: Any = {**QUESTION, "messages": [HumanMessage("hello", id="h")]}
    out = outer.invoke(inputs, config)
    assert out.pop("verification")["answer"] == "56"
    [hello, answer] = out.pop("messages")
    assert (hello, answer.text) == (HumanMessage("hello", id="h"), "56")
    assert out == {**QUESTION, "asked": "mine", "drawn": ["mine"], "paths": 7}


async def test_a_hosts_message_stream_has_the_answer_once() -> None:
    inputs: Any = {"messages": [HumanMessage("17+48-9")]}
    for subgraphs in (True, False):
        streamed: list[Any] = [
            event async for event in host(sure()).astream(inputs, stream_mode="messages", subgraphs=subgraphs)
        ]
        assert [(event[1] if subgraphs else event)[0].text for event in streamed] == ["56"]


async def test_a_hosts_own_context_is_ignored() -> None:
    outer = host(unsure(), context_schema=HostContext)
    foreign: Any = {"threshold": "the host's own"}
    assert (await outer.ainvoke(QUESTION, context=foreign))["verification"]["route"] == "reasoned"
    assert outer.invoke(QUESTION, context=foreign)["verification"]["route"] == "reasoned"
    assert outer.invoke(QUESTION)["verification"]["route"] == "reasoned"


async def test_a_host_overrides_settings_through_configurable() -> None:
    outer = host(unsure(), context_schema=HostContext)
    out = await outer.ainvoke(QUESTION, {"configurable": {"egrm": {"threshold": 0.6}, "user_id": "someone"}})
    assert out["verification"]["route"] == "direct"


async def test_a_node_of_a_host_can_call_the_graph() -> None:
    graph = unsure()

    async def inner(state: Host) -> Host:
        return {"verification": (await graph.ainvoke({"question": state.get("question", "")}))["verification"]}

    outer = host(inner, context_schema=HostContext)
    foreign: Any = {"threshold": "the host's own"}
    assert (await outer.ainvoke(QUESTION, context=foreign))["verification"]["answer"] == "56"


async def test_a_hosts_subgraph_stream_has_the_nodes() -> None:
    nodes = [
        next(iter(update))
        async for namespace, update in host(sure()).astream(QUESTION, stream_mode="updates", subgraphs=True)
        if namespace
    ]
    assert nodes == ["answer_fast", "check_uncertainty", "select_answer"]


async def test_concurrent_runs_in_many_event_loops_are_independent() -> None:
    graph = unsure()

    def run_in_new_loop() -> str:
        out = asyncio.run(graph.ainvoke(QUESTION))
        return str(out["verification"]["answer"])

    answers = await asyncio.gather(*(asyncio.to_thread(run_in_new_loop) for _ in range(8)))
    assert answers == ["56"] * 8
