import math

import pytest

from egrm_graph.drawing.requirements import unmet_reasons
from egrm_graph.reasons import texts
from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import MEASURES, Measure
from tests.uncertainty.drawn import drew, sample, votes


def unmet_texts(measure: Measure, evidence: Evidence) -> list[str]:
    return texts(unmet_reasons(measure, evidence))


DRAWN = [name for name, measure in MEASURES.items() if "readings" not in measure.requires]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_measure_without_a_finite_value_is_reported(value: float) -> None:
    measure = Measure("mine", lambda evidence: value, threshold=0.5, higher_is_certain=True)
    assert measure.measured(votes("7")) is None
    assert unmet_texts(measure, votes("7")) == ["the measure mine has no value for these fast answers"]


def test_a_measure_with_all_its_evidence_has_no_unmet_reasons() -> None:
    for name in DRAWN:
        evidence = drew(sample("A", [[-0.1, -3.0]], order="AB"), sample("A", [[-0.1, -3.0]], order="BA"))
        assert unmet_texts(MEASURES[name], evidence) == []


def test_answers_without_logprobs_are_counted() -> None:
    evidence = drew(sample("7", [[-0.1, -3.0]]), sample("7"), sample("8"), sample(None))
    assert unmet_texts(MEASURES["deepconf_mean"], evidence) == [
        "2 of 3 fast answers came without the log-probabilities that the measure deepconf_mean needs"
    ]


def test_samples_in_place_of_readings_are_reported() -> None:
    assert unmet_texts(MEASURES["label_margin"], votes("A", "A")) == [
        "the labels' probabilities, which the measure label_margin needs, could not be read"
    ]
