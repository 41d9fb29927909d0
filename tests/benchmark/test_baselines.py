import math
from collections.abc import Sequence

import pytest

from egrm_graph import Settings
from egrm_graph.benchmark.baselines import PathSampler, borda, by_windows, majority, one_by_one, weighted
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.clients.client import Completion
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.parts import assemble
from egrm_graph.uncertainty.stopping import beta

QUESTION = BenchQuestion("q", "17+48", "65", 1)


def answers(*numbers: int | None) -> list[Item]:
    return [Fail("lost") if number is None else f"#{number}" for number in numbers]


def sampler(items: Sequence[Item], max_paths: int = 40) -> tuple[PathSampler, ScriptedClient]:
    client = ScriptedClient(paths=items)
    parts = assemble(Settings(task="arithmetic"), client, scorer=None)
    return PathSampler(parts, QUESTION, max_paths), client


async def test_self_consistency_is_the_vote_over_all_paths() -> None:
    paths, client = sampler(answers(66, 65, 65, None), max_paths=4)
    assert await majority(paths) == "65"
    assert (paths.answers, len(client.calls)) == (["66", "65", "65", None], 4)


async def test_paths_are_drawn_one_at_a_time_until_the_vote_is_settled() -> None:
    """Four equal votes give 1 - I_0.5(5, 1) = 1 - 1/32 = 0.97, and three give 1 - 1/16 = 0.94."""
    paths, client = sampler(answers(*[65] * 40))
    assert await one_by_one(paths, beta) == "65"
    assert len(client.calls) == 4


async def test_without_a_settled_vote_all_forty_are_drawn() -> None:
    paths, client = sampler(answers(*[65, 66] * 20))
    assert await one_by_one(paths, beta) == "65"
    assert len(client.calls) == 40


async def test_the_first_unanimous_window_is_the_answer() -> None:
    paths, client = sampler(answers(66, 66, 66, 66, 65, *[65] * 5, *[66] * 30))
    assert await by_windows(paths, 5) == "65"
    assert len(client.calls) == 10


async def test_a_window_with_a_lost_path_is_not_unanimous() -> None:
    paths, client = sampler(answers(None, 66, 66, *[65] * 3, *[66] * 34))
    assert await by_windows(paths, 3) == "65"
    assert len(client.calls) == 6


async def test_without_a_unanimous_window_all_paths_vote() -> None:
    paths, client = sampler(answers(*[65, 65, 66] * 14)[:40])
    assert await by_windows(paths, 5) == "65"
    assert len(client.calls) == 40


def confident(number: int, probability: float) -> Completion:
    """A path of one token with this probability."""
    tops = ({"a": math.log(probability), "b": math.log(1 - probability)},)
    return Completion(f"#{number}", "stop", 1, token_ids=(1,), logprobs=(math.log(probability),), top_logprobs=tops)


async def test_weights_decide_against_the_majority() -> None:
    paths, _ = sampler([confident(65, 0.9), confident(66, 0.5), confident(66, 0.5)], max_paths=3)
    assert await weighted(paths, lambda tops: math.exp(tops[0][0]) ** 4, list) == "65"


async def test_a_path_without_log_probabilities_does_not_count_next_to_one_that_has_them() -> None:
    paths, _ = sampler([*answers(66, 66), confident(65, 0.6)], max_paths=3)
    assert await weighted(paths, lambda tops: tops[0][0], list) == "65"


async def test_without_any_log_probabilities_paths_vote() -> None:
    paths, _ = sampler(answers(66, 65, 65), max_paths=3)
    assert await weighted(paths, lambda tops: 1.0, list) == "65"


async def test_without_any_path_the_answer_is_none() -> None:
    paths, _ = sampler(answers(None, None), max_paths=2)
    assert await majority(paths) is None


def test_borda_weighs_by_rank() -> None:
    assert borda([0.1, 0.9, 0.5], power=1) == [1, 3, 2]
    assert borda([0.1, 0.9, 0.5], power=0.5) == pytest.approx([1, math.sqrt(3), math.sqrt(2)])
    assert borda([]) == []
