"""How a client's log-probabilities are recorded."""

import math
from collections.abc import Mapping, Sequence

import pytest

from egrm_graph.clients.client import Completion
from egrm_graph.drawing.samples import logprobs_of


def converted(
    logprobs: Sequence[float] | None, tops: Sequence[Mapping[str, float]] | None
) -> tuple[list[float] | None, list[list[float]] | None]:
    completion = Completion(
        "56",
        "stop",
        2,
        logprobs=None if logprobs is None else tuple(logprobs),
        top_logprobs=None if tops is None else tuple(tops),
    )
    return logprobs_of(completion)


def test_the_largest_come_first_without_their_texts() -> None:
    assert converted([-0.5, -1.5], [{"6": -1.5, "5": -0.5}, {"6": -0.75, "<": -1.5}]) == (
        [-0.5, -1.5],
        [[-0.5, -1.5], [-0.75, -1.5]],
    )


def test_missing_log_probabilities_stay_none() -> None:
    assert converted(None, None) == (None, None)
    assert converted([-0.5], None) == ([-0.5], None)


def test_log_0_is_recorded_as_a_number_that_json_can_hold() -> None:
    assert converted([0.0], [{"5": 0.0, "6": -math.inf}]) == ([0.0], [[0.0, -9999.0]])


def test_a_rounding_error_above_0_becomes_0() -> None:
    assert converted([1e-7], [{"5": 1e-7}]) == ([0.0], [[0.0]])


@pytest.mark.parametrize(
    ("logprobs", "tops"),
    [
        ([math.nan], [{"5": -0.5}]),
        ([-0.5], [{"5": math.nan}]),
        ([-0.5], [{"5": -0.5, "6": math.nan}]),
        ([math.inf], [{"5": -0.5}]),
        ([3.5], [{"5": 3.5}]),  # logits
        ([-0.1], [{"5": -0.1, "6": -0.1}]),  # they add up to more than 1
        ([-0.5, -0.5], [{"5": -0.5}]),
        ([-0.5], [{}]),
    ],
)
def test_numbers_that_cannot_be_log_probabilities_are_dropped(
    logprobs: list[float], tops: list[dict[str, float]]
) -> None:
    assert converted(logprobs, tops) == (None, None)
