"""The token counts of a LangChain message, as the client and an agent's step report them."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage

from egrm_graph.clients.chat_model import ChatModelClient
from egrm_graph.clients.client import Sampling
from egrm_graph.integrations.agent_middleware import BestOfN
from tests.integrations.agents import graph_of, preferring
from tests.robustness.chat_models import Recorder


async def outcome(given: dict[str, Any]) -> Any:
    """For one call: `[prompt, cached, completion]` tokens. For two candidates of a step: the sum of `[in, out]`."""

    def answer(model: Recorder, _: dict[str, Any]) -> AIMessage:
        # A copy, because messages from a cache or another integration bypass the constructor's checks.
        return AIMessage("56").model_copy(update=given)

    drawn = await ChatModelClient(Recorder(answer=answer)).sample(
        [{"role": "user", "content": "?"}], Sampling(0.7, 20), seeds=(1,), request_id="r.f.0"
    )
    [completion] = drawn.completions
    usage = drawn.usage
    agent = create_agent(
        Recorder(answer=answer),
        [],
        middleware=[BestOfN(2, graph=graph_of(preferring("56")), max_completion_tokens=1000)],
    )
    step = (await agent.ainvoke({"messages": [HumanMessage("?")]}))["messages"][-1].response_metadata["egrm"]
    reported = step["usage"]
    return {
        "error": completion.error,
        "tokens": [usage["prompt_tokens"], usage["cached_tokens"], usage["completion_tokens"]],
        "step": None if reported is None else [reported["input_tokens"], reported["output_tokens"]],
    }
