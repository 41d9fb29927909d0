"""An agent that draws each step three times and has the candidates judged before it runs a tool.

It runs offline, because model and judge are scripted. With your own models:

    BestOfN(4, settings=Settings(model="Qwen/Qwen3-8B", base_url=("http://gpu:8000/v1",)))
"""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.integrations.agent_middleware import BestOfN


class Model(GenericFakeChatModel):
    """Orders for the wrong table in one of three candidates, then reports the order."""

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        return self.bind(tools=tools)


@tool
def order(table: int, dish: str) -> str:
    """Order a dish for a table."""
    print(f"ordered: {dish} for table {table}")
    return "ordered"


def step(table: int, i: int) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": "order", "args": {"table": table, "dish": "soup"}, "id": f"call-{i}"}])


def verdict(prompt: Sequence[Any], *_: Any) -> str:
    """The label of the candidate that orders for table 4. The judge sees the candidates in every order."""
    before = str(prompt[-1]["content"]).partition('"table": 4')[0]
    return before.rpartition("[candidate ")[2][0]


judge = build_graph(Settings(task="tool_calls"), client=ScriptedClient(verdict), scorer=None, checkpointer=False)
model = Model(messages=cycle([step(7, 0), step(4, 1), step(4, 2), *[AIMessage("Your soup is on its way.")] * 3]))
agent = create_agent(model, [order], middleware=[BestOfN(3, graph=judge)])

for message in agent.invoke({"messages": [HumanMessage("Soup for table 4, please.")]})["messages"]:
    chosen = message.response_metadata.get("egrm")
    if chosen is not None:
        print(f"chosen by {chosen['by']} among {chosen['candidates']}: {message.text or message.tool_calls[0]['args']}")
    if chosen is not None and chosen["verification"] is not None:
        print(f"  rewards: {chosen['verification']['rewards']}")
