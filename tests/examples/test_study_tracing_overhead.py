from argparse import Namespace

import pytest
from canned_server import canned_server
from client_overhead import Cost
from tracing_overhead import LEVELS, level_of, measure


def test_ratios_are_of_sums_over_the_same_rounds() -> None:
    off = [Cost(1.0, 10.0), Cost(3.0, 10.0)]
    level = level_of("full", [Cost(2.0, 10.0), Cost(3.0, 20.0)], off, 100.0)
    assert (level.cpu_ms.value, level.cpu_ratio.value, level.wall_ratio.value) == (2.5, 1.25, 1.5)
    assert (level.cpu_ratio.low, level.cpu_ratio.high) == (1.0, 2.0)  # both rounds the second; both the first


@pytest.mark.timeout(300)
async def test_a_small_run_gives_every_figure() -> None:
    with canned_server(0.0) as base_url:
        off, summary, full = await measure(base_url, LEVELS, Namespace(questions=8, rounds=2, in_flight=4))
    assert [off.name, summary.name, full.name] == ["off", "summary", "full"]
    assert (off.cpu_ratio.low, off.cpu_ratio.high, off.record_bytes) == (1.0, 1.0, 0.0)
    assert min(summary.cpu_ms.value, full.cpu_ms.value, summary.record_bytes, full.record_bytes) > 0
