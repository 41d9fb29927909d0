import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from publish_draws import publish

from egrm_graph.clients.client import Completion, Completions, ContinuesPrompt, Meter, Sampling, TakesOptions
from egrm_graph.clients.draws_folder import DRAWS, sample_key
from egrm_graph.clients.saved_draws import NOT_DRAWN, SavedDraws
from egrm_graph.clients.scripted import Delay, Fail, Item, ScriptedClient, Stall
from egrm_graph.errors import InputError, ServerError
from egrm_graph.verification import Message, Usage

KEY = "f99976943b0ba2d35814985487bffcac842af723bee296f3c896841b0a9b321c"
PROMPT = [Message(role="user", content="17+48=")]
SAMPLING = Sampling(temperature=1.0, max_tokens=64, stop=("\n",))


def by_seed(prompt: Sequence[Message], seed: int, request_id: str) -> Item:
    return str(60 + seed)


Open = Callable[..., SavedDraws]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the folder of the test for a client."""
    async with AsyncExitStack() as closing:

        def opened(client: Any, *, ask: bool = True) -> SavedDraws:
            saved = SavedDraws(client, tmp_path, ask=ask)
            closing.push_async_callback(saved.aclose)
            return saved

        yield opened


async def sample(client: Any, *seeds: int, sampling: Sampling = SAMPLING, meter: Meter | None = None) -> Completions:
    found: Completions = await client.sample(PROMPT, sampling, seeds=seeds, request_id="run.node.0", meter=meter)
    return found


def asked(client: ScriptedClient) -> list[tuple[int, ...]]:
    """The seeds of each call."""
    return [call.seeds for call in client.calls]


def texts(found: Completions) -> list[str]:
    return [completion.text for completion in found.completions]


async def test_a_saved_completion_is_not_drawn_again_and_costs_the_same(tmp_path: Path, opened: Open) -> None:
    first, second = ScriptedClient(by_seed), ScriptedClient(by_seed)
    live = await sample(opened(first), 3, 4, 5)
    assert live == await sample(ScriptedClient(by_seed), 3, 4, 5)
    assert await sample(opened(second), 3, 4, 5) == live
    assert (asked(first), asked(second)) == ([(3, 4, 5)], [])
    line = json.loads((tmp_path / DRAWS).read_text().splitlines()[0])
    assert (line["prompt"], line["seed"], line["completion"]["text"]) == (PROMPT, 3, "63")
    assert line["seconds"] >= 0


async def test_only_the_missing_seeds_are_drawn(opened: Open) -> None:
    client = ScriptedClient(by_seed)
    saved = opened(client)
    await sample(saved, 4)
    found = await sample(saved, 3, 4, 5)
    assert (texts(found), asked(client)) == (["63", "64", "65"], [(4,), (3, 5)])
    assert found.usage == (await sample(ScriptedClient(by_seed), 3, 4, 5)).usage


@pytest.mark.parametrize(
    "other",
    [
        replace(SAMPLING, temperature=0.7),
        replace(SAMPLING, max_tokens=65),
        replace(SAMPLING, stop=()),
        replace(SAMPLING, top_k=20),
    ],
)
async def test_other_sampling_is_another_draw(opened: Open, other: Sampling) -> None:
    client = ScriptedClient(by_seed)
    saved = opened(client)
    await sample(saved, 1)
    await sample(saved, 1, sampling=other)
    assert asked(client) == [(1,), (1,)]


def with_logprobs(text: str) -> Completion:
    top = {"a": math.log(0.6), "b": math.log(0.3), "c": math.log(0.1)}
    return Completion(text, "stop", 1, None, (7,), (text,), (math.log(0.6),), (top,))


async def test_a_draw_with_more_log_probabilities_than_requested_serves(opened: Open) -> None:
    client = ScriptedClient(lambda prompt, seed, request_id: with_logprobs("65"))
    saved = opened(client)
    rich, three = with_logprobs("65"), replace(SAMPLING, logprobs=3)
    await sample(saved, 1)
    assert (await sample(saved, 1, sampling=three)).completions == (rich,)
    assert (await sample(saved, 1, sampling=three)).completions == (rich,)
    (two,) = (await sample(saved, 1, sampling=replace(SAMPLING, logprobs=2))).completions
    assert (two.top_logprobs, two.logprobs) == (({"a": math.log(0.6), "b": math.log(0.3)},), (math.log(0.6),))
    assert len(client.calls) == 2


async def test_a_draw_whose_log_probabilities_are_not_requested_has_none(opened: Open) -> None:
    client = ScriptedClient(lambda prompt, seed, request_id: with_logprobs("65"))
    saved = opened(client)
    await sample(saved, 1, sampling=replace(SAMPLING, logprobs=3))
    assert (await sample(saved, 1)).completions == (Completion("65", "stop", 1, None, (7,)),)
    assert len(client.calls) == 1


async def test_identical_requests_at_once_ask_the_model_once(opened: Open) -> None:
    client = ScriptedClient(lambda prompt, seed, request_id: Delay(0.02, str(60 + seed)))
    saved = opened(client)
    found = await asyncio.gather(sample(saved, 1, 2), sample(saved, 2, 3), sample(saved, 3, 1))
    assert [texts(each) for each in found] == [["61", "62"], ["62", "63"], ["63", "61"]]
    assert sorted(seed for seeds in asked(client) for seed in seeds) == [1, 2, 3]


async def test_a_request_that_waited_for_a_canceled_one_draws_on_its_own(tmp_path: Path, opened: Open) -> None:
    items: list[Item] = [Stall(), "65"]
    client = ScriptedClient(lambda prompt, seed, request_id: items.pop(0))
    saved = opened(client)
    canceled = asyncio.create_task(sample(saved, 1))
    waiting = asyncio.create_task(sample(saved, 1))
    await asyncio.sleep(0.01)
    canceled.cancel()
    assert texts(await waiting) == ["65"]
    assert [call.state for call in client.calls] == ["cancelled", "answered"]
    assert len((tmp_path / DRAWS).read_text().splitlines()) == 1


async def test_nothing_of_a_failed_call_is_saved_and_of_a_lost_sample_neither(opened: Open) -> None:
    items: list[Item] = [Fail("busy", fails_call=True), Fail("lost"), "65", "66"]
    client = ScriptedClient(lambda prompt, seed, request_id: items.pop(0))
    saved = opened(client)
    with pytest.raises(ServerError, match="busy"):
        await sample(saved, 1)
    lost, drawn = (await sample(saved, 1, 2)).completions
    assert (lost.finish_reason, lost.error, drawn.text) == ("abort", "lost", "65")
    assert texts(await sample(saved, 1, 2)) == ["66", "65"]
    assert asked(client) == [(1,), (1, 2), (1,)]


async def test_a_line_that_a_kill_cut_off_is_drawn_again(tmp_path: Path, opened: Open) -> None:
    saved = opened(ScriptedClient(by_seed))
    await sample(saved, 1, 2)
    await saved.aclose()
    data = (tmp_path / DRAWS).read_bytes()
    (tmp_path / DRAWS).write_bytes(data[:-9])
    client = ScriptedClient(by_seed)
    assert texts(await sample(opened(client, ask=False), 1)) == ["61"]
    assert texts(await sample(opened(client), 1, 2)) == ["61", "62"]
    assert asked(client) == [(2,)]
    first, second = (tmp_path / DRAWS).read_bytes().splitlines()
    assert first + b"\n" == data.splitlines(keepends=True)[0]
    assert json.loads(second)["seed"] == 2


async def test_readings_of_labels_are_saved_too(opened: Open) -> None:
    client = ScriptedClient(labels={"A": -0.1, "B": -2.4})
    saved = opened(client)
    readings = [await saved.label_logprobs(PROMPT, labels, request_id="r") for labels in ("AB", "AB", "A")]
    assert readings[0] == readings[1]
    assert (dict(readings[1].logprobs), dict(readings[2].logprobs)) == ({"A": -0.1, "B": -2.4}, {"A": -0.1})
    assert len(client.calls) == 2
    again = opened(ScriptedClient(), ask=False)
    assert await again.label_logprobs(PROMPT, "AB", request_id="r") == readings[0]


async def test_what_was_not_drawn_is_an_error_if_the_model_must_not_be_asked(opened: Open) -> None:
    client = ScriptedClient(by_seed, labels={"A": -0.1})
    await sample(opened(client), 1)
    saved = opened(client, ask=False)
    with pytest.raises(InputError, match=NOT_DRAWN):
        await sample(saved, 1, 2)
    with pytest.raises(InputError, match=NOT_DRAWN):
        await saved.label_logprobs(PROMPT, ["A"], request_id="r")
    assert asked(client) == [(1,)]


async def test_only_an_asked_model_is_checked(opened: Open) -> None:
    client = ScriptedClient(by_seed)
    saved = opened(client)
    await saved.check()
    await client.aclose()
    with pytest.raises(Exception, match="was closed"):
        await saved.check()
    await opened(client, ask=False).check()


class Renamed(ScriptedClient):
    engine = "vllm"
    continues_prompt = True


@pytest.mark.parametrize(
    ("client", "difference"),
    [
        (ScriptedClient(by_seed, name="other"), "model 'scripted' instead of 'other'"),
        (Renamed(by_seed), "engine 'ScriptedClient' instead of 'vllm', continues_prompt False instead of True"),
    ],
)
async def test_the_draws_of_another_model_are_refused(opened: Open, client: Any, difference: str) -> None:
    await sample(opened(ScriptedClient(by_seed)), 1)
    with pytest.raises(InputError, match=difference):
        opened(client)


@pytest.mark.parametrize(
    ("about", "draws", "message"),
    [
        (None, '{"seed": 1}\n', "is not a folder of saved draws: .*draws.json"),
        (None, None, "is not a folder of saved draws: .*draws.json"),
        ("[]", "", "is not a folder of saved draws"),
        ("{broken", "", "is not a folder of saved draws"),
        ("", '{"seed": 1}\n{"seed": 2}\n', r"draws.jsonl, line 1 is not a saved draw: KeyError\('completion'\)"),
        ("", "nonsense\n", "draws.jsonl, line 1 is not a saved draw"),
    ],
)
async def test_a_folder_of_something_else_is_an_error(
    tmp_path: Path, opened: Open, about: str | None, draws: str | None, message: str
) -> None:
    right = {"format": 1, "model": "scripted", "engine": "ScriptedClient", "continues_prompt": False}
    if about is not None:
        (tmp_path / "draws.json").write_text(about or json.dumps(right))
    if draws is not None:
        (tmp_path / DRAWS).write_text(draws)
    with pytest.raises(InputError, match=message):
        opened(ScriptedClient(by_seed), ask=False)


class SeparateRequests(ScriptedClient):
    """Asks for each seed on its own, as clients of chat models do, and reports only the tokens of all."""

    continues_prompt = True

    async def sample(
        self, prompt: Any, sampling: Any, *, seeds: Any, request_id: str, meter: Any = None
    ) -> Completions:
        found = await super().sample(prompt, sampling, seeds=seeds, request_id=request_id, meter=meter)
        usage = {**found.usage, "requests": len(seeds), "prompt_tokens": 6 * len(seeds)}
        return Completions(tuple(replace(each, n_tokens=None) for each in found.completions), Usage(**usage))  # type: ignore[typeddict-item]


async def test_requests_and_tokens_of_a_client_that_asks_for_each_seed_are_restored(opened: Open) -> None:
    saved = opened(SeparateRequests(by_seed))
    live = await sample(saved, 1, 2, 3)
    assert await sample(saved, 1, 2, 3) == live
    fewer = await sample(saved, 2, 3)
    assert (fewer.usage["requests"], fewer.usage["prompt_tokens"], fewer.usage["completion_tokens"]) == (2, 12, 4)


async def test_saved_tokens_count_on_the_meter(opened: Open) -> None:
    saved = opened(ScriptedClient(by_seed))
    meter = Meter()
    await sample(saved, 1, meter=meter)
    await sample(saved, 1, 2, meter=meter)
    assert meter.n_tokens == 2 + 2 + 2


async def test_what_a_client_says_of_itself_passes_through(opened: Open) -> None:
    saved = opened(Renamed(labels={"A": 0.0}))
    assert isinstance(saved, ContinuesPrompt)
    assert isinstance(saved, TakesOptions)
    assert saved.continues_prompt
    assert "min_p" in saved.sampling_options
    assert (saved.name, saved.gives_logprobs) == ("scripted", True)


async def test_published_draws_answer_the_same_requests_without_the_questions(tmp_path: Path) -> None:
    own, published = tmp_path / "own", tmp_path / "published"
    client = SavedDraws(ScriptedClient(by_seed, labels={"A": -0.1, "B": -3.0}), own)
    live = await sample(client, 3, 4)
    read = await client.label_logprobs(PROMPT, ["A", "B"], request_id="run")
    await client.aclose()
    assert publish(own, published) == 3
    assert "17+48" not in (published / DRAWS).read_text()
    again = SavedDraws(ScriptedClient(by_seed), published, ask=False)
    assert await sample(again, 4, 3) == Completions(live.completions[::-1], live.usage)
    assert (await again.label_logprobs(PROMPT, ["A", "B"], request_id="run")).logprobs == read.logprobs
    with pytest.raises(InputError, match=NOT_DRAWN):
        await sample(again, 5)
    with pytest.raises(InputError, match=NOT_DRAWN):
        await sample(again, 3, sampling=replace(SAMPLING, temperature=0.5))
    await again.aclose()


def test_the_key_of_a_draw_is_the_same_in_every_version() -> None:
    """Published folders have it. A new option of the sampling must not change it."""
    assert sample_key(PROMPT, SAMPLING, 3).hex() == KEY
    assert sample_key(PROMPT, replace(SAMPLING, logprobs=5), 3).hex() == KEY
    assert sample_key(PROMPT, replace(SAMPLING, top_k=5), 3).hex() != KEY
