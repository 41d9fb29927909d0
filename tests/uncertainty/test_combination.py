import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from egrm_graph.errors import InputError, SettingsError
from egrm_graph.uncertainty.combination import Combination, fit, loaded
from egrm_graph.uncertainty.measures import Measure
from tests.uncertainty.drawn import drew, sample, votes

TWO = Combination(
    names=("consensus", "deepconf_mean"), means=(0.8, 5.0), scales=(0.2, 2.0), weights=(1.0, 0.5), intercept=-0.25
)


def scipys(features: np.ndarray, labels: np.ndarray, l2: float) -> np.ndarray:
    """The weights and the intercept that scipy finds, without derivatives, for standardised features."""
    standard = (features - features.mean(axis=0)) / features.std(axis=0)

    def loss(parameters: np.ndarray) -> float:
        logits = standard @ parameters[:-1] + parameters[-1]
        return float(np.logaddexp(0, np.where(labels, -logits, logits)).sum() + l2 / 2 * (parameters[:-1] ** 2).sum())

    options = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 20000, "maxfev": 20000}
    found: np.ndarray = minimize(loss, np.zeros(features.shape[1] + 1), method="Nelder-Mead", options=options).x
    return found


def test_the_probability_is_the_sigmoid_of_the_weighted_standardised_values() -> None:
    # -0.25 + 1 * (0.6 - 0.8) / 0.2 + 0.5 * (9 - 5) / 2 = -0.25
    assert TWO.probability([0.6, 9.0]) == pytest.approx(1 / (1 + math.exp(0.25)))


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_the_probability_is_one_at_any_values(one: float, other: float) -> None:
    assert 0 <= TWO.probability([one, other]) <= 1


def test_a_missing_value_leaves_no_probability() -> None:
    assert math.isnan(TWO.probability([0.6, math.nan]))
    assert TWO.measure().measured(votes("7", "7")) is None


def test_as_a_measure_it_reads_the_evidence_and_needs_what_its_parts_need() -> None:
    measure = TWO.measure(name="both", threshold=0.7)
    evidence = drew(sample("7", [[-9.0]]), sample("7", [[-9.0]]), sample("7", [[-9.0]]), sample("8", [[-9.0]]))
    # -0.25 + (0.75 - 0.8) / 0.2 + 0.5 * (9 - 5) / 2 = 0.5
    assert measure.measured(evidence) == pytest.approx(1 / (1 + math.exp(-0.5)))
    assert (measure.name, measure.threshold, measure.higher_is_certain) == ("both", 0.7, True)
    assert measure.needs == ("top_logprobs",)


def test_measures_of_the_users_own_can_be_combined() -> None:
    mine = Measure("mine", lambda evidence: 2.0, threshold=1.0, higher_is_certain=True)
    combined = Combination(("mine",), (0.0,), (1.0,), (1.0,), -2.0)
    assert combined.measure(measures={"mine": mine}).measured(votes("7")) == 0.5
    with pytest.raises(SettingsError, match="no measure 'mine' to combine"):
        combined.measure()


def test_saved_as_json_it_comes_back_the_same() -> None:
    assert loaded(json.loads(json.dumps(asdict(TWO)))) == TWO


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [1.0]}, "2 measures has 1 weights"),
        ({"scales": [1.0, 0.0]}, "the scales"),
        ({"means": ["low", 1.0]}, "means.0='low'"),
        ({"intercept": math.nan}, "the intercept nan"),
        ({"names": None}, "names=None"),
    ],
)
def test_what_is_no_combination_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        loaded({**asdict(TWO), **change})


@pytest.mark.parametrize("l2", [0.1, 1.0, 10.0])
def test_a_fit_is_scipys(l2: float) -> None:
    rng = np.random.default_rng(7)
    features = rng.normal(size=(80, 2)) * [1.0, 30.0] + [0.0, 100.0]
    labels = rng.random(80) < 1 / (1 + np.exp(-1.5 * features[:, 0] + (features[:, 1] - 100) / 60))
    fitted = fit(["one", "other"], features.tolist(), labels.tolist(), l2=l2)
    assert [*fitted.weights, fitted.intercept] == pytest.approx(scipys(features, labels, l2), abs=1e-5)
    assert fitted.means == pytest.approx(features.mean(axis=0))
    assert fitted.scales == pytest.approx(features.std(axis=0))


def test_with_a_feature_that_says_nothing_the_share_of_the_labels_is_left() -> None:
    fitted = fit(["constant"], [[0.1]] * 4, [True, True, True, False])
    assert fitted.weights == (0.0,)
    assert fitted.probability([0.1]) == pytest.approx(0.75)


def test_separable_labels_leave_finite_weights() -> None:
    fitted = fit(["consensus"], [[0.2], [0.4], [0.8], [1.0]], [False, False, True, True])
    assert 0.5 < fitted.probability([0.8]) < fitted.probability([1.0]) < 1


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        ([[0.1], [0.2]], [True, True], "all 2 labels are alike"),
        ([], [], "all 0 labels are alike"),
        ([[0.1], [math.nan], [math.inf]], [True, False, True], "2 of 3 rows hold a value that is not a number"),
        ([[0.1], [0.2]], [True], "2 rows and 1 labels"),
        ([[0.1], [0.2, 0.3]], [True, False], "2 rows and 2 labels for 1 measures"),
    ],
)
def test_where_there_is_nothing_to_fit_it_says_why(
    features: list[list[float]], labels: list[bool], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fit(["consensus"], features, labels)


@pytest.mark.parametrize(("names", "l2"), [([], 1.0), (["consensus"], 0.0), (["consensus"], math.nan)])
def test_without_a_measure_or_a_penalty_there_is_no_fit(names: list[str], l2: float) -> None:
    with pytest.raises(InputError, match="cannot be fitted"):
        fit(names, [[0.1], [0.2]], [True, False], l2=l2)
