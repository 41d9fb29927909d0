import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest

from egrm_graph.intervals import bootstrap, share


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_the_interval_of_a_share_is_scipys_wilson_interval(right: list[bool]) -> None:
    found = share(np.array(right))
    expected = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.value == sum(right) / len(right)


def test_the_bootstrap_of_a_mean_has_the_width_of_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(size=(1, 400))
    found = bootstrap(values, lambda columns: float(columns[0].mean()))
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.1)


def test_columns_are_resampled_together() -> None:
    values = np.random.default_rng(1).normal(size=400)
    found = bootstrap(np.array([values, values + 1]), lambda columns: float((columns[1] - columns[0]).mean()))
    assert (found.low, found.value, found.high) == pytest.approx((1, 1, 1))


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.arange(30, dtype=float).reshape(1, -1)

    def mean(columns: NDArray[np.float64]) -> float:
        return float(columns.mean())

    assert bootstrap(values, mean) == bootstrap(values, mean)
