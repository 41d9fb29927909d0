"""The prefix cache of a real vLLM server: what is read of a question's prompt only once."""

from collections.abc import Sequence

import pytest

from egrm_graph import Settings, build_graph
from egrm_graph.clients.client import Completions, Meter, Sampling
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.serving.vllm_flags import CPU_CACHE_BLOCK_TOKENS
from egrm_graph.verification import Message, Usage
from tests.server.conftest import Served

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]

# One block of the cache with the token before it, and the sign that asks for an answer. No other test asks it.
QUESTION = "964-494+876-530+141-365+623-597"


class Recording(ServerClient):
    """Keeps the usage of every request by its id."""

    def __init__(self, server: Served) -> None:
        super().__init__(server.name, [server.base_url], request_timeout_s=60)
        self.usages: dict[str, Usage] = {}

    async def sample(
        self,
        prompt: Sequence[Message],
        sampling: Sampling,
        *,
        seeds: Sequence[int],
        request_id: str,
        meter: Meter | None = None,
    ) -> Completions:
        drawn = await super().sample(prompt, sampling, seeds=seeds, request_id=request_id, meter=meter)
        self.usages[request_id.partition(".")[2]] = drawn.usage
        return drawn


async def test_the_second_wave_and_the_paths_read_the_prompt_from_the_cache(real_server: Served) -> None:
    # The task takes longer questions than `arithmetic`, and the prompts are what the model was trained on.
    # At this temperature the fast answers disagree.
    settings = Settings(
        engine="vllm",
        model=real_server.name,
        task="answer",
        prompts="tiny",
        fast_temperature=2.0,
        threshold=0.5,
        samples=5,
        paths=4,
    )
    client = Recording(real_server)
    try:
        graph = build_graph(settings, client=client, scorer=None)
        verification = (await graph.ainvoke({"question": QUESTION}))["verification"]
    finally:
        await client.aclose()
    assert verification["route"] == "reasoned"
    _, *later = client.usages
    assert later == ["answer_fast.3", *(f"expand_cot.{i}" for i in range(4))]
    assert all(usage["prompt_tokens"] == CPU_CACHE_BLOCK_TOKENS + 1 for usage in client.usages.values())
    assert [client.usages[name]["cached_tokens"] for name in later] == [CPU_CACHE_BLOCK_TOKENS] * 5
