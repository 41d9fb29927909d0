import math
from collections.abc import Sequence

import pytest

from egrm_graph import Settings
from egrm_graph.benchmark.baselines import Paths, borda, by_windows, majority, one_by_one, weighted
from egrm_graph.benchmark.held_out import Question
from egrm_graph.clients.client import Completion
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.parts import assemble
from egrm_graph.uncertainty.stopping import beta

QUESTION = Question("q", "17+48", "65", 1)


def answers(*numbers: int | None) -> list[Item]:
    return [Fail("lost") if number is None else f"#{number}" for number in numbers]


def drawn(items: Sequence[Item], most: int = 40) -> tuple[Paths, ScriptedClient]:
    client = ScriptedClient(paths=items)
    parts = assemble(Settings(task="arithmetic"), client, scorer=None)
    return Paths(parts, QUESTION, most), client


async def test_self_consistency_is_the_vote_over_all_paths() -> None:
    paths, client = drawn(answers(66, 65, 65, None), most=4)
    assert await majority(paths) == "65"
    assert (paths.answers, len(client.calls)) == (["66", "65", "65", None], 4)


async def test_one_path_after_another_until_the_vote_is_settled() -> None:
    """Four equal votes: 1 - I_0.5(5, 1) = 1 - 1/32 = 0.97; three: 1 - 1/16 = 0.94."""
    paths, client = drawn(answers(*[65] * 40))
    assert await one_by_one(paths, beta) == "65"
    assert len(client.calls) == 4


async def test_without_a_settled_vote_all_forty_are_drawn() -> None:
    paths, client = drawn(answers(*[65, 66] * 20))
    assert await one_by_one(paths, beta) == "65"
    assert len(client.calls) == 40


async def test_the_first_unanimous_window_is_the_answer() -> None:
    paths, client = drawn(answers(66, 66, 66, 66, 65, *[65] * 5, *[66] * 30))
    assert await by_windows(paths, 5) == "65"
    assert len(client.calls) == 10


async def test_a_window_with_a_lost_path_is_not_unanimous() -> None:
    paths, client = drawn(answers(None, 66, 66, *[65] * 3, *[66] * 34))
    assert await by_windows(paths, 3) == "65"
    assert len(client.calls) == 6


async def test_without_a_unanimous_window_all_paths_vote() -> None:
    paths, client = drawn(answers(*[65, 65, 66] * 14)[:40])
    assert await by_windows(paths, 5) == "65"
    assert len(client.calls) == 40


def confident(number: int, probability: float) -> Completion:
    """A path of one token, and how likely it was beside another one."""
    tops = ({"a": math.log(probability), "b": math.log(1 - probability)},)
    return Completion(f"#{number}", "stop", 1, token_ids=(1,), logprobs=(math.log(probability),), top_logprobs=tops)


async def test_weights_decide_against_the_majority() -> None:
    paths, _ = drawn([confident(65, 0.9), confident(66, 0.5), confident(66, 0.5)], most=3)
    assert await weighted(paths, lambda tops: math.exp(tops[0][0]) ** 4, list) == "65"


async def test_a_path_without_log_probabilities_has_no_say_beside_one_that_has() -> None:
    paths, _ = drawn([*answers(66, 66), confident(65, 0.6)], most=3)
    assert await weighted(paths, lambda tops: tops[0][0], list) == "65"


async def test_without_any_log_probabilities_paths_vote() -> None:
    paths, _ = drawn(answers(66, 65, 65), most=3)
    assert await weighted(paths, lambda tops: 1.0, list) == "65"


async def test_where_all_paths_are_lost_there_is_no_answer() -> None:
    paths, _ = drawn(answers(None, None), most=2)
    assert await majority(paths) is None


def test_borda_weighs_by_rank() -> None:
    assert borda([0.1, 0.9, 0.5], power=1) == [1, 3, 2]
    assert borda([0.1, 0.9, 0.5], power=0.5) == pytest.approx([1, math.sqrt(3), math.sqrt(2)])
    assert borda([]) == []
