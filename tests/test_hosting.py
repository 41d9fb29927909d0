"""The graph where others run it: sync and async, streamed, batched, remembered, and inside a host graph."""

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


def wavering(**options: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
    client = ScriptedClient(fast=["57", "56", "57", "56", "57"], paths=[PATH] * 4)
    return build_graph(Settings(task="arithmetic"), client=client, scorer=None, **options)


def sure(answer: str = "56", **options: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
    client = ScriptedClient(fast=[answer] * 5, paths=[PATH] * 4)
    return build_graph(Settings(task="arithmetic"), client=client, scorer=None, **options)


def test_invoke_and_batch_work_without_a_loop() -> None:
    graph = wavering()
    assert graph.invoke(QUESTION)["verification"]["answer"] == "56"
    assert [out["verification"]["answer"] for out in graph.batch([QUESTION] * 20)] == ["56"] * 20


async def test_invoke_works_under_a_running_loop_too() -> None:
    assert wavering().invoke(QUESTION)["verification"]["answer"] == "56"


async def test_ainvoke_and_abatch() -> None:
    outs = await wavering().abatch([QUESTION] * 20)
    assert [out["verification"]["answer"] for out in outs] == ["56"] * 20


def test_the_output_is_one_key_and_the_messages_where_messages_came_in() -> None:
    assert list(wavering().invoke(QUESTION)) == ["verification"]
    assert list(wavering().invoke({"messages": [HumanMessage("17+48-9")]})) == ["verification", "messages"]


def test_the_answer_is_the_next_message_and_tells_its_run() -> None:
    asked = HumanMessage("17+48-9")
    out: Any = sure().invoke({"messages": [asked]})
    told = out["verification"]
    expected = {name: told[name] for name in ("run_id", "status", "route", "confidence")}
    assert out["messages"] == [
        asked,
        AIMessage("56", id=f"egrm-{told['run_id']}", response_metadata={"egrm": expected}),
    ]


def test_stream_gives_updates_by_node_and_an_event_for_each_sample() -> None:
    events: Any = list(wavering().stream(QUESTION, stream_mode=["updates", "custom"]))
    nodes = [next(iter(update)) for mode, update in events if mode == "updates"]
    samples = [(event["node"], event["i"]) for mode, event in events if mode == "custom"]
    assert nodes == ["answer_fast", "check_uncertainty", "expand_cot", "score_paths", "select_answer"]
    assert samples == [("answer_fast", i) for i in range(4)] + [("expand_cot", i) for i in range(4)]


async def test_astream_hands_out_a_path_as_it_lands_not_when_all_have() -> None:
    paths: list[Item] = [Delay(0.6, PATH), Delay(0.3, PATH), PATH, Delay(0.9, PATH)]
    client = ScriptedClient(fast=["57", "56", "57", "56", "57"], paths=paths)
    graph = build_graph(Settings(task="arithmetic"), client=client, scorer=None)
    order = [
        event["i"] async for event in graph.astream(QUESTION, stream_mode="custom") if event["node"] == "expand_cot"
    ]
    assert order == [2, 1, 0, 3]


@pytest.mark.parametrize("sync", [True, False])
async def test_a_checkpointer_keeps_every_state_and_a_second_run_starts_afresh(sync: bool) -> None:
    graph = wavering(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}

    async def run(given: Any, **more: Any) -> Any:
        return graph.invoke(given, config, **more) if sync else await graph.ainvoke(given, config, **more)

    first = (await run({**QUESTION, "reference": "56"}))["verification"]
    second = (await run({"question": "57+0"}, context=RunSettings(threshold=0.5)))["verification"]
    assert (first["route"], first["correct"], len(first["paths"])) == ("reasoned", True, 4)
    assert (second["route"], second["correct"], second["paths"], second["reasons"]) == ("direct", None, [], [])


def test_the_question_of_an_earlier_run_on_the_thread_is_not_asked_again() -> None:
    graph = sure(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    graph.invoke(QUESTION, config)
    with pytest.raises(InputError, match="there is nothing to ask"):
        graph.invoke({"reference": "1"}, config)


def test_messages_are_a_conversation_that_ends_with_the_question() -> None:
    client = ScriptedClient(fast=["56"] * 5)
    graph = build_graph(Settings(task="arithmetic"), client=client, scorer=None)
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


def test_messages_that_end_with_the_assistant_are_refused() -> None:
    with pytest.raises(InputError, match="the last message is the assistant's"):
        sure().invoke({"messages": [HumanMessage("1+1"), AIMessage("2")]})


class Host(TypedDict, total=False):
    """A host whose keys clash with the graph's private ones."""

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
def test_as_a_subgraph_it_touches_nothing_of_its_host_but_verification_and_messages(checkpointed: bool) -> None:
    outer = host(wavering(), checkpointer=InMemorySaver() if checkpointed else None)
    config: Any = {"configurable": {"thread_id": "1"}}
    given: Any = {**QUESTION, "messages": [HumanMessage("hello", id="h")]}
    out = outer.invoke(given, config)
    assert out.pop("verification")["answer"] == "56"
    [hello, answer] = out.pop("messages")
    assert (hello, answer.text) == (HumanMessage("hello", id="h"), "56")
    assert out == {**QUESTION, "asked": "mine", "drawn": ["mine"], "paths": 7}


async def test_a_hosts_stream_of_messages_shows_the_answer_once() -> None:
    given: Any = {"messages": [HumanMessage("17+48-9")]}
    for subgraphs in (True, False):
        streamed: list[Any] = [
            each async for each in host(sure()).astream(given, stream_mode="messages", subgraphs=subgraphs)
        ]
        assert [(each[1] if subgraphs else each)[0].text for each in streamed] == ["56"]


async def test_a_hosts_own_context_is_left_alone() -> None:
    outer = host(wavering(), context_schema=HostContext)
    foreign: Any = {"threshold": "the host's own"}
    assert (await outer.ainvoke(QUESTION, context=foreign))["verification"]["route"] == "reasoned"
    assert outer.invoke(QUESTION, context=foreign)["verification"]["route"] == "reasoned"
    assert outer.invoke(QUESTION)["verification"]["route"] == "reasoned"


async def test_a_host_overrides_settings_through_configurable() -> None:
    outer = host(wavering(), context_schema=HostContext)
    out = await outer.ainvoke(QUESTION, {"configurable": {"egrm": {"threshold": 0.6}, "user_id": "someone"}})
    assert out["verification"]["route"] == "direct"


async def test_a_hosts_node_can_call_it() -> None:
    graph = wavering()

    async def inner(state: Host) -> Host:
        return {"verification": (await graph.ainvoke({"question": state.get("question", "")}))["verification"]}

    outer = host(inner, context_schema=HostContext)
    foreign: Any = {"threshold": "the host's own"}
    assert (await outer.ainvoke(QUESTION, context=foreign))["verification"]["answer"] == "56"


async def test_a_hosts_stream_of_subgraphs_shows_the_nodes() -> None:
    seen = [
        next(iter(update))
        async for namespace, update in host(sure()).astream(QUESTION, stream_mode="updates", subgraphs=True)
        if namespace
    ]
    assert seen == ["answer_fast", "check_uncertainty", "select_answer"]


async def test_runs_at_once_in_many_loops_do_not_meet() -> None:
    graph = wavering()

    def in_a_loop_of_its_own() -> str:
        out = asyncio.run(graph.ainvoke(QUESTION))
        return str(out["verification"]["answer"])

    answers = await asyncio.gather(*(asyncio.to_thread(in_a_loop_of_its_own) for _ in range(8)))
    assert answers == ["56"] * 8
