"""Trees of paths through a real vLLM server, with token ids as prompts."""

import asyncio
from typing import Any

import pytest

from egrm_graph import Settings, Verification, build_graph
from egrm_graph.clients.client import Sampling
from egrm_graph.clients.engines import load_client
from egrm_graph.steps.anchors import token_starts
from egrm_graph.steps.tree import leaf_weights
from egrm_graph.verification import Message
from tests.server.conftest import Served
from tests.server.metrics import until

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

HARD = ["87-23+45-67+12", "99-31+87-45-36", "88+97-65+54-29", "71+68-95+66-47", "96-58+77-49+83"]
TREE: dict[str, Any] = {"strategy": "entropy_tree", "paths": 8, "path_stopping": "all", "anchor_entropy": 0.05}


async def grown(question: str, **settings: Any) -> Verification:
    graph = build_graph(Settings(**TREE | settings))
    verification: Verification = (await graph.ainvoke({"question": question}))["verification"]
    return verification


def shape(verification: Verification) -> list[Any]:
    """What a tree is, without its ids and log-probabilities."""
    found = []
    for path in verification["paths"]:
        branch = path.get("branch")
        assert branch is not None
        anchors = [
            (each["at"], each["end"], each["taken"]["text"], each["others"][0]["text"]) for each in branch["anchors"]
        ]
        found.append((path["text"], branch["parent"], branch["at"], branch["token_ids"], anchors))
    return found


async def test_a_served_tree_is_the_one_of_this_process(real_server: Served) -> None:
    served = {"engine": "vllm", "model": real_server.name, "base_url": (real_server.base_url,)}
    branches = cached = 0
    for question in HARD:
        here, there = await grown(question), await grown(question, **served)
        if here["route"] == "direct":
            continue
        assert shape(there) == shape(here)
        assert leaf_weights(there["paths"]) == pytest.approx(leaf_weights(here["paths"]), abs=1e-4)
        assert there["usage"]["completion_tokens"] == here["usage"]["completion_tokens"]
        branches += len(there["paths"]) - 1
        cached += there["usage"]["cached_tokens"]
    assert branches >= 8
    assert cached > 0  # branches share what comes before them


async def test_a_language_model_goes_on_after_any_of_its_tokens(real_language_model: Served) -> None:
    settings = Settings(engine="vllm", model=real_language_model.name, base_url=(real_language_model.base_url,))
    client = load_client(settings, judges=False)
    prompt = [Message(role="user", content="Name three colors and three animals: 🐈, 北京, naïve café. Explain each.")]
    sampling = Sampling(temperature=0.0, max_tokens=48, logprobs=5, begins_with=())
    try:
        [first] = (await client.sample(prompt, sampling, seeds=(0,), request_id="first")).completions
        assert first.token_ids is not None
        assert first.likeliest is not None
        # A greedy text goes on in the same way from each of its tokens.
        starts = token_starts(first)
        places = [at for at, start in enumerate(starts) if start is not None and at > 0]
        assert [at for at, start in enumerate(starts) if start is None]  # inside a character, where no branch may be
        assert all(first.text[starts[at] :].startswith(first.tokens[at]) for at in places)  # type: ignore[index]
        for at in (places[0], places[len(places) // 2], places[-2]):
            rest = Sampling(temperature=0.0, max_tokens=48 - at, logprobs=5, begins_with=first.token_ids[:at])
            [again] = (await client.sample(prompt, rest, seeds=(0,), request_id=f"at-{at}")).completions
            assert again.text[: again.before] == first.text[: again.before]
            assert again.likeliest is not None
            assert again.text == first.text or again.token_ids[0] == first.token_ids[at]  # type: ignore[index]
        taken = [place[0] for place in first.likeliest]
        assert [token["id"] for token in taken] == list(first.token_ids)
        assert all(len(place) == 5 and place[1]["text"] for place in first.likeliest)
    finally:
        await client.aclose()


async def test_a_round_that_is_canceled_ends_on_the_server(real_language_model: Served) -> None:
    running = "vllm:num_requests_running"
    served = {"engine": "vllm", "model": real_language_model.name, "base_url": (real_language_model.base_url,)}
    asked = {"scorer": None, "task": "answer", "threshold": 2.0, "samples": 1, "path_max_tokens": 256}
    tree = asyncio.ensure_future(grown("Tell a long story about a fox and a hare.", **served, **asked))
    await until(real_language_model, running, lambda value: value > 1, timeout_s=120)  # the first path is one request
    tree.cancel()
    with pytest.raises(asyncio.CancelledError):
        await tree
    await until(real_language_model, running, lambda value: value == 0)
