from __future__ import annotations

import asyncio
import collections
import math
from pathlib import Path

import pytest
from scipy.stats import chisquare

from egrm_graph.clients.client import Client
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.errors import ContextTooLong, Unsupported
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_MODEL
from tests.clients.untrained import (
    CONTEXT,
    draw,
    encode,
    forward,
    ids_of,
    save_model,
    texts,
    without_nucleus,
)


async def test_is_a_client(client: EmbeddedClient, folder: Path) -> None:
    assert isinstance(client, Client)
    assert (client.name, client.gives_logprobs) == (folder.name, True)
    await client.check()


async def test_a_seed_gives_one_text_alone_and_in_any_batch(client: EmbeddedClient) -> None:
    alone = await draw(client, seeds=[7])
    again = await draw(client, seeds=[7])
    strangers = [
        draw(client, "9-8+7-6+5" + "+1" * i + "=", seeds=range(9), temperature=0.5 + i, top_p=0.9) for i in range(6)
    ]
    among, *_ = await asyncio.gather(draw(client, seeds=[3, 7]), *strangers)
    assert texts(again) == texts(alone)
    assert texts(among)[1] == texts(alone)[0]


async def test_different_seeds_give_different_texts(client: EmbeddedClient) -> None:
    assert len(set(texts(await draw(client, seeds=range(20))))) > 15


async def test_sampled_frequencies_follow_the_softmax(client: EmbeddedClient, folder: Path) -> None:
    n, temperature = 3000, 0.8
    drawn = await draw(client, seeds=range(n), max_tokens=1, temperature=temperature)
    counts = collections.Counter(ids_of(completion)[0] for completion in drawn.completions)
    scaled = [math.exp(value / temperature) for value in forward(folder, encode("1+2="))]
    expected = [n * value / sum(scaled) for value in scaled]
    large = [token for token in range(20) if expected[token] >= 5]
    rest = [token for token in range(20) if expected[token] < 5]
    observed = [counts[token] for token in large] + [sum(counts[token] for token in rest)]
    assert (
        chisquare(observed, [expected[token] for token in large] + [sum(expected[token] for token in rest)]).pvalue
        > 0.01
    )


async def test_later_tokens_follow_the_softmax_too(client: EmbeddedClient, folder: Path) -> None:
    """The second tokens after the most frequent first one, in a batch whose rows have different prompts."""
    drawn, _ = await asyncio.gather(
        draw(client, seeds=range(3000), max_tokens=2), draw(client, "1+1+1+1+1=", seeds=range(50), max_tokens=2)
    )
    pairs = [ids_of(completion) for completion in drawn.completions]
    first = collections.Counter(ids[0] for ids in pairs if ids[0] != 2).most_common(1)[0][0]
    seconds = collections.Counter(ids[1] for ids in pairs if ids[0] == first)
    n = seconds.total()
    expected = [n * math.exp(value) for value in forward(folder, [*encode("1+2="), first])]
    large = [token for token in range(20) if expected[token] >= 5]
    rest = n - sum(expected[token] for token in large)
    observed = [seconds[token] for token in large]
    assert chisquare([*observed, n - sum(observed)], [*(expected[token] for token in large), rest]).pvalue > 0.01


async def test_top_p_leaves_the_tail_out(client: EmbeddedClient, folder: Path) -> None:
    probabilities = [math.exp(value) for value in forward(folder, encode("1+2="))]
    outside = without_nucleus(probabilities, 0.6)
    narrow, wide = await asyncio.gather(
        draw(client, seeds=range(500), max_tokens=1, top_p=0.6), draw(client, seeds=range(500), max_tokens=1)
    )
    assert not outside & {ids_of(completion)[0] for completion in narrow.completions}
    assert outside & {ids_of(completion)[0] for completion in wide.completions}


async def test_temperature_zero_takes_the_likeliest_token(client: EmbeddedClient, folder: Path) -> None:
    (completion,) = (await draw(client, temperature=0, max_tokens=6)).completions
    ids = encode("1+2=")
    for token in ids_of(completion):
        values = forward(folder, ids)
        assert token == values.index(max(values))
        ids.append(token)


async def test_a_completion_counts_its_end_token(client: EmbeddedClient) -> None:
    drawn = await draw(client, seeds=range(60))
    stopped = [each for each in drawn.completions if each.finish_reason == "stop"]
    cut = [each for each in drawn.completions if each.finish_reason == "length"]
    assert stopped
    assert cut
    assert all(ids_of(each)[-1] == 2 and each.n_tokens == len(ids_of(each)) for each in stopped)
    assert all(each.n_tokens == 20 and 2 not in ids_of(each) for each in cut)
    assert all("</s>" not in each.text for each in drawn.completions)


async def test_usage_counts_the_prompt_once(client: EmbeddedClient) -> None:
    drawn = await draw(client, seeds=range(4))
    assert drawn.usage == {
        "requests": 1,
        "prompt_tokens": 5,
        "cached_tokens": 0,
        "completion_tokens": sum(completion.n_tokens or 0 for completion in drawn.completions),
        "cancelled_tokens": 0,
    }


async def test_logprobs_are_those_of_the_raw_logits(client: EmbeddedClient, folder: Path) -> None:
    drawn = await draw(client, seeds=range(40), temperature=2.0, top_p=0.9, logprobs=3, max_tokens=4)
    for completion in drawn.completions[:3] + drawn.completions[-3:]:
        ids = encode("1+2=")
        for token, logprob, top in zip(
            ids_of(completion), completion.logprobs or (), completion.top_logprobs or (), strict=True
        ):
            values = forward(folder, ids)
            assert logprob == pytest.approx(values[token], abs=1e-4)
            assert list(top.values()) == pytest.approx(sorted(values, reverse=True)[:3], abs=1e-4)
            ids.append(token)


async def test_no_logprobs_unless_asked_for(client: EmbeddedClient) -> None:
    with_logprobs, without = await asyncio.gather(draw(client, logprobs=1), draw(client))
    assert with_logprobs.completions[0].logprobs is not None
    assert (without.completions[0].logprobs, without.completions[0].top_logprobs) == (None, None)


async def test_choices_are_the_only_texts(client: EmbeddedClient) -> None:
    drawn = await draw(client, seeds=range(64), choices=("1", "12", "#7"))
    assert set(texts(drawn)) == {"1", "12", "#7"}
    assert {completion.finish_reason for completion in drawn.completions} == {"stop"}


async def test_a_choice_the_tokenizer_cannot_write_is_refused(client: EmbeddedClient) -> None:
    with pytest.raises(Unsupported, match="'yes'"):
        await draw(client, choices=("1", "yes"))


async def test_bounded_thinking_is_refused(client: EmbeddedClient) -> None:
    with pytest.raises(Unsupported, match="thinking_tokens=5"):
        await draw(client, thinking_tokens=5)


async def test_the_context_bounds_the_completion(client: EmbeddedClient) -> None:
    drawn = await draw(client, "1" * 80, seeds=range(30), max_tokens=1000)
    lengths = [completion.n_tokens for completion in drawn.completions if completion.finish_reason == "length"]
    assert lengths
    assert set(lengths) == {CONTEXT - 81}


async def test_a_prompt_over_the_context_is_refused_with_both_numbers(client: EmbeddedClient) -> None:
    with pytest.raises(ContextTooLong, match=r"121 tokens.* 96"):
        await draw(client, "1" * 120)
    assert await draw(client)


def cut(text: str, *stop: str) -> str:
    return text[: min((text.find(each) for each in stop if each in text), default=len(text))]


@pytest.mark.parametrize("stop", [("1",), ("12", "3"), ("=", "+", "-"), ("no such text",)])
async def test_generation_stops_at_a_text(client: EmbeddedClient, stop: tuple[str, ...]) -> None:
    unstopped = (await draw(client, seeds=range(40))).completions
    stopped = (await draw(client, seeds=range(40), stop=stop)).completions
    assert [each.text for each in stopped] == [cut(each.text, *stop) for each in unstopped]
    for one, other in zip(stopped, unstopped, strict=True):
        here = one.text != other.text or cut(other.text, *stop) != other.text
        assert one.finish_reason == ("stop" if here else other.finish_reason)
        assert len(ids_of(one)) <= len(ids_of(other))
        assert ids_of(one) == ids_of(other)[: len(ids_of(one))]


async def test_a_stopped_sample_does_not_stop_the_others(client: EmbeddedClient) -> None:
    both = await asyncio.gather(draw(client, seeds=range(20), stop=("1", "2", "3")), draw(client, seeds=range(20)))
    assert texts(both[1]) == texts(await draw(client, seeds=range(20)))
    assert both[0].usage["completion_tokens"] < both[1].usage["completion_tokens"]


async def test_a_model_without_a_chat_template_continues_its_prompt(client: EmbeddedClient, tmp_path: Path) -> None:
    base = EmbeddedClient.load(save_model(tmp_path / "base", chat_template=None))
    assert (client.continues_prompt, base.continues_prompt) == (False, True)
    await base.aclose()


async def test_a_greedy_text_goes_on_in_the_same_way_from_any_of_its_tokens() -> None:
    client = EmbeddedClient.load(bundled(BUNDLED_MODEL))
    prompt = "71+68-95:"
    try:
        full = (
            await draw(client, prompt, seeds=[0], temperature=0.0, max_tokens=63, logprobs=3, begins_with=())
        ).completions[0]
        ids = ids_of(full)
        assert len(ids) > 12
        assert full.likeliest is not None
        assert tuple(place[0]["id"] for place in full.likeliest) == ids
        places = range(1, len(ids), 4)
        rests = await asyncio.gather(
            *(
                draw(client, prompt, seeds=[9], temperature=0.0, max_tokens=63 - at, logprobs=3, begins_with=ids[:at])
                for at in places
            )
        )
    finally:
        await client.aclose()
    for at, rest in zip(places, rests, strict=True):
        [completion] = rest.completions
        assert completion.text == full.text
        assert completion.text[completion.before :] == full.text[at:]  # a token is a character here
        assert ids_of(completion) == ids[at:]
        assert completion.n_tokens == len(ids) - at
