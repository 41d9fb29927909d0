"""What becomes of the log-probabilities that a client gives."""

import math
from collections.abc import Mapping, Sequence

import pytest

from egrm_graph.clients.client import Completion
from egrm_graph.drawing.samples import logprobs_of


def told(
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


def test_the_largest_come_first_and_no_texts_are_kept() -> None:
    assert told([-0.5, -1.5], [{"6": -1.5, "5": -0.5}, {"6": -0.75, "<": -1.5}]) == (
        [-0.5, -1.5],
        [[-0.5, -1.5], [-0.75, -1.5]],
    )


def test_what_was_not_given_stays_none() -> None:
    assert told(None, None) == (None, None)
    assert told([-0.5], None) == ([-0.5], None)


def test_log_0_is_written_so_that_json_can_hold_it() -> None:
    assert told([0.0], [{"5": 0.0, "6": -math.inf}]) == ([0.0], [[0.0, -9999.0]])


def test_a_rounding_error_above_0_is_none() -> None:
    assert told([1e-7], [{"5": 1e-7}]) == ([0.0], [[0.0]])


@pytest.mark.parametrize(
    ("logprobs", "tops"),
    [
        ([math.nan], [{"5": -0.5}]),
        ([-0.5], [{"5": math.nan}]),
        ([-0.5], [{"5": -0.5, "6": math.nan}]),
        ([math.inf], [{"5": -0.5}]),
        ([3.5], [{"5": 3.5}]),  # logits
        ([-0.1], [{"5": -0.1, "6": -0.1}]),  # more than all probability
        ([-0.5, -0.5], [{"5": -0.5}]),
        ([-0.5], [{}]),
    ],
)
def test_numbers_that_can_be_no_logprobs_are_none(logprobs: list[float], tops: list[dict[str, float]]) -> None:
    assert told(logprobs, tops) == (None, None)
