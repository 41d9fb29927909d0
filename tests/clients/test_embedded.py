from __future__ import annotations

import asyncio
import collections
import math
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import chisquare

from egrm_graph.clients.client import Client, Completion, Completions, Meter, Sampling
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.errors import ContextTooLong, EgrmError, ModelError, RunError, SetupError, Unsupported
from egrm_graph.verification import Message

LETTERS = "0123456789+-=:;#"
CONTEXT = 96


def save_tokenizer(folder: Path, chat_template: str | None) -> None:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, **{letter: 4 + i for i, letter in enumerate(LETTERS)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    fast.chat_template = chat_template
    fast.save_pretrained(folder)


def save_model(folder: Path, chat_template: str | None = "{{ bos_token }}{{ messages[-1]['content'] }}") -> Path:
    """An untrained model: its texts mean nothing, but they are drawn as any model's are."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=20,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.25,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        do_sample=True, top_k=1, repetition_penalty=5.0, eos_token_id=2, pad_token_id=0
    )
    model.save_pretrained(folder)
    save_tokenizer(folder, chat_template)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[EmbeddedClient]:
    client = EmbeddedClient.load(folder)
    yield client
    await client.aclose()


def ask(text: str) -> list[Message]:
    return [{"role": "user", "content": text}]


async def draw(
    client: EmbeddedClient,
    text: str = "1+2=",
    *,
    seeds: Sequence[int] = (0,),
    meter: Meter | None = None,
    temperature: float = 1.0,
    max_tokens: int = 20,
    **sampling: Any,
) -> Completions:
    settings = Sampling(temperature=temperature, max_tokens=max_tokens, **sampling)
    return await client.sample(ask(text), settings, seeds=seeds, request_id="run.answer_fast.0", meter=meter)


def texts(drawn: Completions) -> list[str]:
    return [completion.text for completion in drawn.completions]


def ids_of(completion: Completion) -> tuple[int, ...]:
    assert completion.token_ids is not None
    return completion.token_ids


def forward(folder: Path, ids: list[int]) -> list[float]:
    """The next token's log-probabilities, by a plain forward pass."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.no_grad():
        logits = AutoModelForCausalLM.from_pretrained(folder)(torch.tensor([ids])).logits[0, -1]
    values: list[float] = logits.log_softmax(-1).tolist()
    return values


def encode(text: str) -> list[int]:
    return [1, *(4 + LETTERS.index(letter) for letter in text)]


def without_nucleus(probabilities: list[float], top_p: float) -> set[int]:
    """The tokens outside of the nucleus."""
    order = sorted(range(len(probabilities)), key=lambda token: -probabilities[token])
    mass, inside = 0.0, set()
    for token in order:
        if mass < top_p:
            inside.add(token)
        mass += probabilities[token]
    return set(order) - inside


async def test_is_a_client(client: EmbeddedClient, folder: Path) -> None:
    assert isinstance(client, Client)
    assert (client.name, client.gives_logprobs) == (folder.name, True)
    await client.check()


async def test_a_seed_gives_one_text_alone_and_among_strangers(client: EmbeddedClient) -> None:
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


async def test_meter_counts_tokens_as_they_come(client: EmbeddedClient) -> None:
    seen: list[int] = []
    meter = Meter(on_change=lambda: seen.append(meter.n_tokens))
    drawn = await draw(client, seeds=range(5), meter=meter)
    assert meter.n_tokens == drawn.usage["completion_tokens"]
    assert seen[0] == 5
    assert len(seen) == max(completion.n_tokens or 0 for completion in drawn.completions)


async def test_a_failing_meter_fails_only_its_own_request(client: EmbeddedClient) -> None:
    def broken() -> None:
        raise ValueError("no such thing")

    failed, well = await asyncio.gather(
        draw(client, meter=Meter(on_change=broken)), draw(client, seeds=[1]), return_exceptions=True
    )
    assert isinstance(failed, RunError)
    assert isinstance(well, Completions)


async def test_cancelling_stops_a_running_row_at_its_next_token(client: EmbeddedClient) -> None:
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    go_on = threading.Event()

    def on_change() -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)

    meter = Meter(on_change=on_change)
    running = asyncio.create_task(draw(client, seeds=range(200), max_tokens=90, meter=meter))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    go_on.set()
    await draw(client)  # the worker is at it only when the cancelled batch has ended
    assert meter.n_tokens == 200


async def test_cancelling_takes_out_a_waiting_row(client: EmbeddedClient) -> None:
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    go_on = threading.Event()

    def on_change() -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(10)

    running = asyncio.create_task(draw(client, meter=Meter(on_change=on_change)))
    await begun.wait()
    meter = Meter()
    waiting = asyncio.create_task(draw(client, meter=meter))
    await asyncio.sleep(0)
    waiting.cancel()
    go_on.set()
    await running
    await draw(client)
    assert waiting.cancelled()
    assert meter.n_tokens == 0


def test_any_number_of_event_loops_and_threads_may_call(folder: Path) -> None:
    client = EmbeddedClient.load(folder)
    found: dict[int, list[str]] = {}

    def run(number: int) -> None:
        found[number] = texts(asyncio.run(draw(client, seeds=[number, 100])))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({found[number][1] for number in found}) == 1
    asyncio.run(client.aclose())


async def test_more_rows_than_a_batch_holds(folder: Path) -> None:
    small, large = EmbeddedClient.load(folder, max_batch_rows=3), EmbeddedClient.load(folder)
    one, other = await asyncio.gather(draw(small, seeds=range(20)), draw(large, seeds=range(20)))
    assert texts(one) == texts(other)
    await asyncio.gather(small.aclose(), large.aclose())


async def test_a_failed_batch_says_why_and_the_worker_lives_on(client: EmbeddedClient) -> None:
    with pytest.raises(RunError, match="failed in this process: TypeError"):
        await draw(client, seeds=["no seed"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    assert await draw(client)


async def test_logits_that_are_not_numbers_are_an_error(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    save_model(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    torch.nn.init.constant_(model.model.norm.weight, float("nan"))
    model.save_pretrained(tmp_path)
    client = EmbeddedClient.load(tmp_path)
    with pytest.raises(RunError, match="not numbers"):
        await draw(client)
    await client.aclose()


async def test_closing_fails_what_runs_and_what_comes(folder: Path) -> None:
    client = EmbeddedClient.load(folder)
    loop, begun = asyncio.get_running_loop(), asyncio.Event()

    def on_change() -> None:
        loop.call_soon_threadsafe(begun.set)

    meter = Meter(on_change=on_change)
    running = [asyncio.create_task(draw(client, seeds=range(500), max_tokens=90, meter=meter)) for _ in range(4)]
    await begun.wait()
    await client.aclose()
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [SetupError] * 4
    with pytest.raises(SetupError, match="closed"):
        await draw(client)
    with pytest.raises(SetupError, match="closed"):
        await client.check()


async def test_no_seeds_are_no_work(client: EmbeddedClient) -> None:
    assert (await draw(client, seeds=[])).completions == ()


async def test_label_logprobs_are_the_next_tokens(client: EmbeddedClient, folder: Path) -> None:
    found = await client.label_logprobs(ask("1+2="), ["3", "4"], request_id="run.judge.0")
    values = forward(folder, encode("1+2="))
    assert found.logprobs == pytest.approx({"3": values[4 + 3], "4": values[4 + 4]}, abs=1e-5)
    assert 0 < found.mass < 1


@pytest.mark.parametrize("label", ["12", "", "x"])
async def test_a_label_has_to_be_a_single_token(client: EmbeddedClient, label: str) -> None:
    with pytest.raises(Unsupported, match=repr(label)):
        await client.label_logprobs(ask("1+2="), ["3", label], request_id="run.judge.0")


async def test_a_tokenizer_without_a_chat_template_joins_the_contents(tmp_path: Path) -> None:
    client = EmbeddedClient.load(save_model(tmp_path, chat_template=None), name="base")
    assert client.name == "base"
    assert (await draw(client)).usage["prompt_tokens"] == 4
    await client.aclose()


async def test_thinking_is_switched_through_the_chat_template(tmp_path: Path) -> None:
    template = (
        "{{ messages[-1]['content'] }}"
        "{% if enable_thinking is defined %}{{ '##' if enable_thinking else '#' }}{% endif %}"
    )
    client = EmbeddedClient.load(save_model(tmp_path, chat_template=template))
    drawn = await asyncio.gather(*(draw(client, thinking=switch) for switch in ("default", "off", "on")))
    assert [each.usage["prompt_tokens"] for each in drawn] == [4, 5, 6]
    await client.aclose()


async def test_a_template_that_refuses_the_prompt_is_named(tmp_path: Path) -> None:
    template = "{{ raise_exception('no system messages, please') }}"
    client = EmbeddedClient.load(save_model(tmp_path, chat_template=template))
    with pytest.raises(ModelError, match="no system messages, please"):
        await draw(client)
    await client.aclose()


async def test_an_empty_prompt_is_refused(tmp_path: Path) -> None:
    client = EmbeddedClient.load(save_model(tmp_path, chat_template=None))
    with pytest.raises(EgrmError, match="empty"):
        await draw(client, "")
    await client.aclose()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere"):
        EmbeddedClient.load(tmp_path / "nowhere")


def test_a_folder_without_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match="safetensors"):
        EmbeddedClient.load(tmp_path)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForSequenceClassification

    config = LlamaConfig(
        vocab_size=20, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2
    )
    LlamaForSequenceClassification(config).save_pretrained(tmp_path)
    save_tokenizer(tmp_path, None)
    with pytest.raises(ModelError, match="lm_head"):
        EmbeddedClient.load(tmp_path)


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not a tensor")
    with pytest.raises(ModelError, match="does not load"):
        EmbeddedClient.load(tmp_path)


def test_importing_the_module_loads_no_torch() -> None:
    code = "import sys, egrm_graph.clients.embedded; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
