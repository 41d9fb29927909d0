from canned_server import canned_server
from client_overhead import Figure
from single_requests_overhead import ONE, SINGLE, STREAMED, measure, over


async def test_a_small_run_gives_every_figure() -> None:
    with canned_server(0.0) as base_url:
        costs = await measure(base_url, questions=8, rounds=2, in_flight=4, samples=8, its_hub_python=None)
    assert {name: len(values) for name, values in costs.items()} == {ONE: 2, SINGLE: 2, STREAMED: 2}
    assert min(costs[SINGLE]) > 0


def test_the_ratio_is_taken_within_a_round() -> None:
    assert over([2.0, 8.0, 9.0], [1.0, 8.0, 3.0]) == Figure(2.0, 1.0, 3.0)
