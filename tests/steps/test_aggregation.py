"""Aggregations, against numbers worked by hand."""

import pytest

from egrm_graph.steps.aggregation import AGGREGATIONS


@pytest.mark.parametrize(
    ("name", "expected"),
    [("product", 0.18), ("minimum", 0.4), ("mean", 0.6), ("last", 0.5), ("merged", 0.5)],
)
def test_aggregations_of_three_steps(name: str, expected: float) -> None:
    assert AGGREGATIONS[name]([0.9, 0.4, 0.5]) == pytest.approx(expected)


def test_an_error_that_the_next_step_corrects_costs_merged_pairs_nothing() -> None:
    assert AGGREGATIONS["merged"]([0.9, 0.1, 0.8]) == 0.8
    assert AGGREGATIONS["merged"]([0.9, 0.1, 0.2]) == 0.2
    assert AGGREGATIONS["merged"]([0.9, 0.1]) == 0.9


def test_one_step_is_its_own_aggregate() -> None:
    assert all(rule([0.3]) == 0.3 for rule in AGGREGATIONS.values())
