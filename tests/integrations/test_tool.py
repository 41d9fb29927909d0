"""Tests for the graph as a tool: its results, its artifact, and the model's mistakes."""

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.integrations.tool import as_tool
from egrm_graph.settings import TaskName
from tests.integrations.judges import judging


class ToolCaller(GenericFakeChatModel):
    """A fake chat model that ignores its tools."""

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        return self


def answering() -> BaseTool:
    client = ScriptedClient(fast=["56"] * 5)
    return as_tool(build_graph(Settings(preset="published", task="arithmetic"), client=client, scorer=None))


def call(name: str, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args, "id": "1", "type": "tool_call"}


async def test_a_question_gets_a_summary_and_the_verification_as_artifact() -> None:
    tool = answering()
    asked = call("verified_answer", question="17+48-9")
    for message in (tool.invoke(asked), await tool.ainvoke(asked)):
        assert json.loads(message.content) == {"answer": "56", "status": "ok", "confidence": 1.0}
        assert message.artifact["uncertainty"]["votes"] == [{"answer": "56", "count": 4}]


def test_a_comparison_returns_the_winner_and_the_rewards() -> None:
    tool = as_tool(judging("best_of_n", lambda text: text == "56"), task="best_of_n")
    message = tool.invoke(call("compare_answers", question="17+48-9", candidates=["55", "56", "57"]))
    expected = {"answer": "B", "status": "ok", "confidence": 1.0, "winner": 1, "rewards": [0.0, 1.0, 0.0]}
    assert json.loads(message.content) == expected
    assert message.artifact["rewards"] == [0.0, 1.0, 0.0]


def test_a_single_candidate_is_graded() -> None:
    tool = as_tool(judging("pointwise", lambda text: text == "56"), task="pointwise")
    message = tool.invoke(call("grade_answer", question="17+48-9", candidate="56"))
    expected = {"answer": "5", "status": "ok", "confidence": 1.0, "rewards": [1.0]}
    assert json.loads(message.content) == expected


def test_an_abstention_has_reasons_and_no_numbers() -> None:
    tool = as_tool(judging("pointwise", bool, lost="17+48-9"), task="pointwise")
    summary = json.loads(tool.invoke(call("grade_answer", question="17+48-9", candidate="56")).content)
    assert (summary["status"], summary["confidence"], summary["rewards"]) == ("abstained", None, [None])
    assert "neither a fast answer nor a path gave an answer" in summary["reasons"]


@pytest.mark.parametrize("candidates", [["56"], ["55", "56", "57"]])
async def test_a_wrong_call_returns_an_error_to_the_model(candidates: list[str]) -> None:
    tool = as_tool(judging("pairwise", bool), task="pairwise")
    asked = call("compare_answers", question="17+48-9", candidates=candidates)
    for message in (tool.invoke(asked), await tool.ainvoke(asked)):
        assert isinstance(message, ToolMessage)
        assert (message.status, message.artifact) == ("error", None)
        assert message.content


def test_a_model_sees_the_required_arguments() -> None:
    def required(task: TaskName) -> tuple[str, list[str]]:
        schema = convert_to_openai_tool(as_tool(judging(task, bool), task=task))["function"]
        return schema["name"], schema["parameters"]["required"]

    assert required("pairwise") == ("compare_answers", ["question", "candidates"])
    assert required("pointwise") == ("grade_answer", ["question", "candidate"])


def test_settings_have_their_own_task() -> None:
    assert as_tool(Settings(task="pairwise", scorer=None)).name == "compare_answers"


def test_tool_calls_cannot_be_judged_by_a_tool() -> None:
    with pytest.raises(SettingsError, match="use 'best_of_n'"):
        as_tool(Settings(task="tool_calls"))


def test_an_agent_calls_it_and_reads_the_answer() -> None:
    said = iter([AIMessage("", tool_calls=[call("verified_answer", question="17+48-9")]), AIMessage("It is 56.")])
    agent: Any = create_agent(ToolCaller(messages=said), tools=[answering()])
    messages = agent.invoke({"messages": [("user", "What is 17+48-9?")]})["messages"]
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    assert json.loads(messages[2].content)["answer"] == "56"
    assert messages[2].artifact["answer"] == "56"


async def test_an_agent_with_a_checkpointer_can_call_twice_in_parallel() -> None:
    builder = StateGraph(MessagesState)
    builder.add_node("tools", ToolNode([answering()]))
    builder.add_edge(START, "tools")
    builder.add_edge("tools", END)
    host = builder.compile(checkpointer=InMemorySaver())
    calls: Any = [{**call("verified_answer", question="17+48-9"), "id": i} for i in ("1", "2")]
    inputs: Any = {"messages": [AIMessage("", tool_calls=calls)]}
    for thread, run in (("1", host.invoke), ("2", host.ainvoke)):
        out = run(inputs, {"configurable": {"thread_id": thread}})
        messages = (out if isinstance(out, dict) else await out)["messages"][1:]
        assert [json.loads(message.content)["answer"] for message in messages] == ["56", "56"]
