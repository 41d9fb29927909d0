"""Read the finish reason of a chat model's answer."""

from typing import Any

from langchain_core.messages import AIMessage

from egrm_graph.clients.chat_model import ChatModelClient
from egrm_graph.clients.client import Sampling
from tests.clients.test_chat_model import Model


async def outcome(given: dict[str, Any]) -> list[str | None]:
    message = AIMessage(**{"content": "The answer is 28.", **given})
    client = ChatModelClient(Model(answer=lambda _: message))
    drawn = await client.sample(
        [{"role": "user", "content": "17+11?"}], Sampling(1.0, 64), seeds=(0,), request_id="r.answer_fast.0"
    )
    (completion,) = drawn.completions
    return [completion.finish_reason, completion.error]
