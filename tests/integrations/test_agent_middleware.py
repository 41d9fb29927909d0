"""Tests for best of N in an agent: the chosen step, its record, and what the agent streams and runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import BaseModel

from egrm_graph import Settings, build_graph
from egrm_graph.clients.chat_model import ChatModelClient
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import Abstained, SettingsError
from egrm_graph.integrations.agent_middleware import BestOfN
from tests.integrations.agents import Model, graph_of, judge, preferring, said, steps

QUESTION: Any = {"messages": [HumanMessage("17+48?")]}
RIGHT, WRONG = ("add", {"a": 17, "b": 48}), ("add", {"a": 17, "b": 84})
SILENT = judge(lambda candidates, code: None)


class Added:
    """A tool that records its arguments."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    @property
    def tool(self) -> BaseTool:
        @tool
        def add(a: int, b: int) -> str:
            """The sum of two numbers."""
            self.calls.append((a, b))
            return str(a + b)

        return add


async def run(agent: Any, sync: bool, inputs: Any = QUESTION, config: Any = None) -> Any:
    return agent.invoke(inputs, config) if sync else await agent.ainvoke(inputs, config)


def record_of(message: BaseMessage) -> Any:
    return message.response_metadata["egrm"]


both = pytest.mark.parametrize("sync", [True, False])


@both
async def test_only_the_winners_tool_call_is_run(sync: bool) -> None:
    added, model = Added(), Model(answer=steps(said("", WRONG), said("", RIGHT), said("", WRONG), said("", WRONG)))
    agent = create_agent(model, [added.tool], middleware=[BestOfN(4, graph=graph_of(preferring('"b": 48')))])
    messages = (await run(agent, sync))["messages"]
    assert added.calls == [(17, 48)]
    assert [type(message) for message in messages] == [HumanMessage, AIMessage, ToolMessage, AIMessage]
    assert (messages[2].content, messages[3].content) == ("65", "done")
    assert record_of(messages[1])["by"] == "verdict"
    assert model.calls == 8


@both
async def test_equal_candidates_are_not_judged(sync: bool) -> None:
    client = preferring("never asked")
    same = [said("", RIGHT), said("the sum:", ("add", {"b": 48, "a": 17}))]
    agent = create_agent(Model(answer=steps(*same)), [Added().tool], middleware=[BestOfN(2, graph=graph_of(client))])
    messages = (await run(agent, sync))["messages"]
    assert [record_of(messages[i])["by"] for i in (1, 3)] == ["equal", "equal"]
    assert client.calls == []


@both
async def test_a_failed_candidate_is_recorded_and_the_others_are_judged(sync: bool) -> None:
    model = Model(answer=steps(said("", WRONG), ValueError("no room"), said("", RIGHT)))
    agent = create_agent(model, [Added().tool], middleware=[BestOfN(3, graph=graph_of(preferring('"b": 48')))])
    step = (await run(agent, sync))["messages"][1]
    assert step.tool_calls[0]["args"] == RIGHT[1]
    assert record_of(step)["candidates"] == 2
    assert record_of(step)["reasons"] == ["1 of 3 candidates lost: ValueError: no room"]


@both
async def test_a_single_remaining_candidate_is_not_judged(sync: bool) -> None:
    client = preferring("never asked")
    model = Model(answer=steps(ValueError("no room"), said("", RIGHT)))
    agent = create_agent(model, [Added().tool], middleware=[BestOfN(2, graph=graph_of(client))])
    messages = (await run(agent, sync))["messages"]
    assert record_of(messages[1])["by"] == "only"
    assert client.calls == []


async def test_if_all_candidates_fail_the_first_error_is_raised() -> None:
    model = Model(answer=steps(ValueError("no room"), KeyError("too late")))
    agent = create_agent(model, [], middleware=[BestOfN(2, graph=graph_of(SILENT))])
    with pytest.raises(ValueError, match="no room"):
        await agent.ainvoke(QUESTION)


async def test_the_judge_sees_the_conversation_the_tools_and_the_steps() -> None:
    client = preferring('"b": 48')
    second = said("", ("add", {"a": 65, "b": 1}))
    third = said("", ("add", {"a": 65, "b": 2}))

    def answer(messages: Sequence[BaseMessage], number: int) -> AIMessage:
        return [said("", RIGHT, WRONG), said("", WRONG), second, third, said("done"), said("done")][number]

    graph = graph_of(client)
    agent = create_agent(
        Model(answer=answer), [Added().tool], system_prompt="Be exact.", middleware=[BestOfN(2, graph=graph)]
    )
    await agent.ainvoke({"messages": [HumanMessage("17+48 and 17+84?")]})
    prompts = [str(call.prompt[-1]["content"]) for call in client.calls]
    first, later = prompts[0], next(prompt for prompt in prompts if "tool result" in prompt)
    for part in ("Be exact.", "17+48 and 17+84?", "The sum of two numbers."):
        assert part in first
    assert 'call add({"a": 17, "b": 48})\ncall add({"a": 17, "b": 84})' in first
    assert "of add:\n65" in later
    assert "of add:\n101" in later


async def test_all_parallel_tool_calls_of_the_winner_run() -> None:
    added = Added()
    model = Model(answer=steps(said("", WRONG), said("", RIGHT, ("add", {"a": 1, "b": 2}))))
    agent = create_agent(model, [added.tool], middleware=[BestOfN(2, graph=graph_of(preferring('"b": 2')))])
    messages = (await agent.ainvoke(QUESTION))["messages"]
    assert sorted(added.calls) == [(1, 2), (17, 48)]
    assert [type(message) for message in messages] == [HumanMessage, AIMessage, ToolMessage, ToolMessage, AIMessage]


async def test_the_usage_of_all_candidates_and_of_the_judge_is_recorded() -> None:
    client = preferring('"b": 48')
    model = Model(answer=steps(said("", WRONG, n_tokens=7), said("", RIGHT, n_tokens=4)))
    agent = create_agent(model, [Added().tool], middleware=[BestOfN(2, graph=graph_of(client))])
    with get_usage_metadata_callback() as counted:
        step = (await agent.ainvoke(QUESTION))["messages"][1]
    assert record_of(step)["usage"] == {"input_tokens": 20, "output_tokens": 11, "total_tokens": 31}
    assert record_of(step)["verification"]["usage"]["requests"] == len(client.calls)
    assert step.usage_metadata == {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}
    # LangChain's own count includes every candidate of both steps.
    assert counted.usage_metadata == {"scripted": {"input_tokens": 40, "output_tokens": 21, "total_tokens": 61}}


@both
async def test_a_message_stream_has_only_the_winner(sync: bool) -> None:
    model = Model(answer=steps(said("It is not 65.", WRONG), said("It is 65.", RIGHT)))
    agent = create_agent(model, [Added().tool], middleware=[BestOfN(2, graph=graph_of(preferring('"b": 48')))])
    streamed: list[Any] = (
        list(agent.stream(QUESTION, stream_mode="messages"))
        if sync
        else [event async for event in agent.astream(QUESTION, stream_mode="messages")]
    )
    assert [(message.type, message.text) for message, _ in streamed] == [
        ("ai", "It is 65."),
        ("tool", "65"),
        ("ai", "done"),
    ]
    assert [message.tool_calls[0]["args"] for message, _ in streamed[:1]] == [RIGHT[1]]


async def test_a_subgraph_stream_has_only_the_winner() -> None:
    model = Model(answer=steps(said("It is not 65.", WRONG), said("It is 65.", RIGHT)))
    agent = create_agent(model, [Added().tool], middleware=[BestOfN(2, graph=graph_of(preferring('"b": 48')))])
    streamed: list[Any] = [event async for event in agent.astream(QUESTION, stream_mode="messages", subgraphs=True)]
    assert [(message.type, message.text) for _, (message, _) in streamed] == [
        ("ai", "It is 65."),
        ("tool", "65"),
        ("ai", "done"),
    ]


async def test_a_judge_that_is_a_chat_model_is_not_streamed() -> None:
    def verdict(messages: Sequence[BaseMessage], number: int) -> AIMessage:
        text = str(messages[-1].text)
        return said("A" if text.index('"b": 48') < text.index('"b": 84') else "B")

    judging = Model(answer=verdict)
    graph = build_graph(Settings(task="tool_calls"), client=ChatModelClient(judging), scorer=None)
    model = Model(answer=steps(said("It is not 65.", WRONG), said("It is 65.", RIGHT)))
    agent = create_agent(model, [Added().tool], middleware=[BestOfN(2, graph=graph)])
    streamed: list[Any] = [event async for event in agent.astream(QUESTION, stream_mode="messages", subgraphs=True)]
    assert [message.text for _, (message, _) in streamed] == ["It is 65.", "65", "done"]
    assert judging.calls == 6


async def test_without_the_middleware_the_model_streams_its_words() -> None:
    agent = create_agent(Model(answer=steps(said("It is 65."))), [])
    streamed: list[Any] = [event async for event in agent.astream(QUESTION, stream_mode="messages")]
    assert [message.text for message, _ in streamed if isinstance(message, AIMessageChunk)][:3] == ["It ", "is ", "65."]


async def test_without_a_verdict_the_first_candidate_is_taken() -> None:
    model = Model(answer=steps(said("", WRONG), said("", RIGHT)))
    agent = create_agent(model, [Added().tool], middleware=[BestOfN(2, graph=graph_of(SILENT))])
    step = (await agent.ainvoke(QUESTION))["messages"][1]
    assert step.tool_calls[0]["args"] == WRONG[1]
    record = record_of(step)
    assert (record["by"], record["verification"]["status"]) == ("first", "abstained")
    assert record["reasons"] == record["verification"]["reasons"]
    assert record["reasons"][-1] == "neither a fast answer nor a path gave an answer"


@both
async def test_a_conversation_with_a_picture_gets_no_verdict(sync: bool) -> None:
    picture: Any = {"messages": [HumanMessage([{"type": "image", "url": "https://example.org/sum.png"}])]}
    model = Model(answer=lambda messages, number: said(f"6{number}"))
    agent = create_agent(model, [], middleware=[BestOfN(2, graph=graph_of(preferring("65")))])
    record = record_of((await run(agent, sync, picture))["messages"][1])
    assert (record["by"], record["verification"]) == ("first", None)
    [reason] = record["reasons"]
    assert reason.startswith("messages[0] has a part of type 'image', but models read only text")


@both
async def test_without_a_verdict_raise_raises(sync: bool) -> None:
    added, model = Added(), Model(answer=steps(said("", WRONG), said("", RIGHT)))
    middleware = BestOfN(2, graph=graph_of(SILENT), on_abstain="raise")
    with pytest.raises(Abstained, match="none of 2 candidates was chosen: neither a fast answer nor a path gave"):
        await run(create_agent(model, [added.tool], middleware=[middleware]), sync)
    assert added.calls == []


async def test_a_tie_is_not_a_verdict() -> None:
    drawn = judge(lambda candidates, code: "A")  # always the first one, so both orders cancel out
    model = Model(answer=steps(said("", WRONG), said("", RIGHT)))
    middleware = BestOfN(2, graph=graph_of(drawn), on_abstain="raise")
    with pytest.raises(Abstained, match="a draw: A and B"):
        await create_agent(model, [Added().tool], middleware=[middleware]).ainvoke(QUESTION)


@both
async def test_after_a_human_answers_nothing_is_drawn_or_judged_again(sync: bool) -> None:
    added, client = Added(), judge(lambda candidates, code: None)
    model = Model(answer=steps(said("", WRONG), said("", RIGHT), said("", RIGHT)))
    agent = create_agent(
        model,
        [added.tool],
        middleware=[BestOfN(3, graph=graph_of(client), on_abstain="ask")],
        checkpointer=InMemorySaver(),
    )
    config: Any = {"configurable": {"thread_id": "1"}}
    stopped = await run(agent, sync, config=config)
    (interrupt,) = stopped["__interrupt__"]
    request = interrupt.value
    assert (model.calls, added.calls, len(stopped["messages"])) == (3, [], 1)
    assert request["reasons"].endswith("neither a fast answer nor a path gave an answer")
    (index,) = [item["index"] for item in request["candidates"] if item["tool_calls"][0]["args"] == RIGHT[1]]
    assert len(request["candidates"]) == 2

    judged = len(client.calls)
    messages = (await run(agent, sync, Command(resume=index), config))["messages"]
    assert (model.calls, len(client.calls), added.calls) == (6, judged, [(17, 48)])
    assert [type(message) for message in messages] == [HumanMessage, AIMessage, ToolMessage, AIMessage]
    assert [record_of(messages[i])["by"] for i in (1, 3)] == ["human", "equal"]


async def test_a_human_who_gives_a_wrong_index_is_asked_again() -> None:
    model = Model(answer=steps(said("", WRONG), said("", RIGHT)))
    middleware = [BestOfN(2, graph=graph_of(SILENT), on_abstain="ask")]
    agent = create_agent(model, [Added().tool], middleware=middleware, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    await agent.ainvoke(QUESTION, config)
    again = await agent.ainvoke(Command(resume="the second"), config)
    assert (
        again["__interrupt__"][0].value["refused"] == "'the second' is not the index of a candidate; give one of [0, 1]"
    )
    messages = (await agent.ainvoke(Command(resume=1), config))["messages"]
    assert messages[1].tool_calls[0]["args"] == RIGHT[1]


async def test_abandoned_candidates_are_dropped() -> None:
    answers = [said("", WRONG), said("", RIGHT), said("Hello."), said("Hello.")]
    model = Model(answer=lambda messages, number: answers[number])
    middleware = [BestOfN(2, graph=graph_of(SILENT), on_abstain="ask")]
    agent = create_agent(model, [Added().tool], middleware=middleware, checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    await agent.ainvoke(QUESTION, config)
    out = await agent.ainvoke({"messages": [HumanMessage("Never mind.")]}, config)
    assert "__interrupt__" not in out
    assert [message.text for message in out["messages"]] == ["17+48?", "Never mind.", "Hello."]


class Total(BaseModel):
    """The total."""

    total: int


@both
async def test_the_winners_structured_output_is_returned(sync: bool) -> None:
    client = preferring('"total": 65')
    model = Model(answer=steps(said("", ("Total", {"total": 66})), said("", ("Total", {"total": 65}))))
    agent = create_agent(
        model, [], response_format=ToolStrategy(Total), middleware=[BestOfN(2, graph=graph_of(client))]
    )
    assert (await run(agent, sync))["structured_response"] == Total(total=65)
    assert '"name": "Total"' in client.calls[0].prompt[-1]["content"]


async def test_structured_output_survives_a_human() -> None:
    model = Model(answer=steps(said("", ("Total", {"total": 66})), said("", ("Total", {"total": 65}))))
    middleware = [BestOfN(2, graph=graph_of(SILENT), on_abstain="ask")]
    agent = create_agent(
        model, [], response_format=ToolStrategy(Total), middleware=middleware, checkpointer=InMemorySaver()
    )
    config: Any = {"configurable": {"thread_id": "1"}}
    await agent.ainvoke(QUESTION, config)
    assert (await agent.ainvoke(Command(resume=1), config))["structured_response"] == Total(total=65)


class Retried(AgentMiddleware[Any, Any, Any]):
    """Middleware that retries a model call once."""

    async def awrap_model_call(self, request: Any, handler: Any) -> Any:
        try:
            return await handler(request)
        except ValueError:
            return await handler(request)


async def test_middleware_after_best_of_n_wraps_each_candidate() -> None:
    model = Model(answer=steps(said("", WRONG), ValueError("once"), said("", RIGHT)))
    middleware = [BestOfN(2, graph=graph_of(preferring('"b": 48'))), Retried()]
    step = (await create_agent(model, [Added().tool], middleware=middleware).ainvoke(QUESTION))["messages"][1]
    assert step.tool_calls[0]["args"] == RIGHT[1]
    assert record_of(step)["reasons"] == []


@both
async def test_an_unreachable_judge_gives_no_verdict_and_saves_no_checkpoints(
    sync: bool,
) -> None:
    saver = InMemorySaver()
    model = Model(answer=lambda messages, number: said(f"6{number}"))
    settings = Settings(engine="vllm", model="none", base_url=("http://127.0.0.1:9/v1",), attempts=1)
    agent = create_agent(model, [], middleware=[BestOfN(2, settings=settings)], checkpointer=saver)
    messages = (await run(agent, sync, config={"configurable": {"thread_id": "1"}}))["messages"]
    assert (record_of(messages[1])["by"], record_of(messages[1])["verification"]["rewards"]) == ("first", [None, None])
    assert "127.0.0.1:9" in record_of(messages[1])["verification"]["reasons"][0]
    assert {saved.config.get("configurable", {}).get("checkpoint_ns") for saved in saver.list(None)} == {""}


@both
async def test_a_graph_works_in_an_agent_with_a_checkpointer(sync: bool) -> None:
    client = preferring('"b": 48')
    graph = build_graph(Settings(task="tool_calls"), client=client, scorer=None)
    model = Model(answer=steps(said("", WRONG), said("", RIGHT)))
    middleware = [BestOfN(2, graph=graph)]
    agent = create_agent(model, [Added().tool], middleware=middleware, checkpointer=InMemorySaver())
    messages = (await run(agent, sync, config={"configurable": {"thread_id": "1"}}))["messages"]
    assert messages[1].tool_calls[0]["args"] == RIGHT[1]


async def test_a_graph_that_does_not_judge_is_refused() -> None:
    client = ScriptedClient(fast=["65"] * 5)
    model = Model(answer=steps(said("", WRONG), said("", RIGHT)))
    middleware = [BestOfN(2, graph=build_graph(Settings(task="answer"), client=client, scorer=None))]
    with pytest.raises(SettingsError, match="the task answer answers questions"):
        await create_agent(model, [Added().tool], middleware=middleware).ainvoke(QUESTION)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 1, "graph": graph_of(SILENT)}, "n=1: 2 to 64 candidates"),
        ({"n": 65, "graph": graph_of(SILENT)}, "n=65: 2 to 64 candidates"),
        ({}, "exactly one of the judge's settings and a graph"),
        ({"settings": Settings(task="pairwise")}, "task='pairwise' does not judge the steps"),
        ({"graph": graph_of(SILENT), "on_abstain": "last"}, "on_abstain='last'; known are first, raise, ask"),
        ({"graph": graph_of(SILENT), "deadline_s": 0}, "deadline_s=0: Input should be greater than 0"),
    ],
)
def test_wrong_options_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        BestOfN(**options)


def test_without_langchain_the_import_names_the_extra() -> None:
    code = "import sys; sys.modules['langchain'] = None; import egrm_graph.integrations.agent_middleware"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip().splitlines()[-1].endswith("pip install 'egrm-graph[agents]'")
