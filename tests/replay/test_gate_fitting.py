"""Promises that labeled questions support, and promises that are refused."""

import numpy as np
import pytest

from egrm_graph.calibration.gate_calibration import Abstention
from egrm_graph.errors import InputError
from egrm_graph.replay.answer_log import LoggedQuestion
from egrm_graph.replay.answer_table import AnswerTable, table_of
from egrm_graph.replay.gate_fitting import Accuracy, Certified, Promise, Refused, calibrate
from egrm_graph.replay.stopped_reasoning import Reasoning
from egrm_graph.uncertainty.measures import MEASURES
from tests.replay.logs import question

CONSENSUS = MEASURES["consensus"]


def log(n: int, *, fast: str = "7777", paths: str = "7777", first: int = 0) -> list[LoggedQuestion]:
    return [question(first + i, fast, paths) for i in range(n)]


def found(questions: list[LoggedQuestion], *samples: int, **promise: float) -> Certified | Refused:
    target, confidence = promise.pop("target", 0.05), promise.pop("confidence", 0.95)
    return calibrate(table_of(questions), [CONSENSUS], samples or (4,), Promise(target, confidence, **promise))  # type: ignore[arg-type]


def test_the_loosest_safe_threshold_is_chosen_with_its_bound() -> None:
    # 60 unanimous and right, 20 three of four and right, 20 even: wrong by the answer drawn first
    made = found([*log(60), *log(20, fast="7778", first=60), *log(20, fast="8877", first=80)])
    assert isinstance(made, Certified)
    assert (made.measure, made.samples, made.threshold) == (CONSENSUS, 4, 0.75)
    assert (made.questions, made.losses, made.gates, made.direct) == (100, 0, 1, 80)
    assert made.risk_bound == pytest.approx(1 - 0.05**0.01)
    assert made.accuracy == Accuracy(gated=1.0, always=1.0, never=0.8, direct=1.0)
    low, high = made.direct_between
    assert low < 0.8 < high


def test_confidence_is_the_smoothed_share_of_right_answers() -> None:
    made = found([*log(60), *log(20, fast="7778", first=60), *log(20, fast="8877", first=80)])
    assert isinstance(made, Certified)
    # All right from 0.75 on: 81 of 82. At 0.5 none of 20: 1 of 22. Reasoning is right on those 20: 21 of 22.
    assert [(step.value, step.questions) for step in made.fast_right] == [(0.5, 20), (0.75, 80)]
    assert [step.probability for step in made.fast_right] == pytest.approx([1 / 22, 81 / 82], abs=1e-6)
    assert [step.probability for step in made.reasoned_right] == pytest.approx([21 / 22], abs=1e-6)


@pytest.mark.parametrize(
    ("questions", "message"),
    [
        (log(5), "5 questions cannot promise a risk of 0.05 .* that takes 59"),
        (log(58), "58 questions cannot promise"),
        (log(100), "every answer is right"),
        (log(100, fast="8888", paths="8888"), "every answer is wrong"),
        (log(100, fast="----", paths="----"), "every answer is wrong"),
        (log(100, fast="----"), "no fast answer could be read"),
        (log(100, fast="8888"), "the strictest .consensus of 4 samples. loses 100 of 100 questions"),
    ],
)
def test_impossible_promises_are_refused(questions: list[LoggedQuestion], message: str) -> None:
    made = found(questions)
    assert isinstance(made, Refused)
    assert pytest.raises(AssertionError, match=message).matches(AssertionError(made.reason))


def test_one_fast_answer_makes_a_gate_with_one_threshold() -> None:
    made = found([*log(95, fast="7"), *log(5, fast="-", first=95)], 1)
    assert isinstance(made, Certified)
    assert (made.samples, made.threshold, made.direct) == (1, 1.0, 95)


def test_more_samples_than_the_log_has_are_an_error() -> None:
    with pytest.raises(InputError, match="samples=5: the log has 4 fast answers"):
        found(log(100), 5)


def test_the_error_loss_counts_wrong_reasoned_answers() -> None:
    questions = [*log(70), *log(30, fast="8877", paths="9999", first=70)]
    assert isinstance(found(questions), Certified)
    made = calibrate(table_of(questions), [CONSENSUS], [4], Promise(0.05, 0.95, "error"))
    assert made == Refused(
        "no gate keeps a risk (error) of 0.05 with confidence 0.95: the strictest (consensus of 4 samples) loses 30 of "
        "100 questions, which leaves a risk of up to 0.3842 possible. Label more questions, or raise the target"
    )


def test_answers_are_withheld_until_few_given_ones_are_wrong() -> None:
    """Reasoned answers are right if all four paths agree, and wrong if only half of them do."""
    sure = log(200, fast="8877", first=200)
    unsure = log(200, fast="8877", paths="8899", first=400)
    made = found([*log(200), *sure, *unsure], abstain_risk=0.1)
    assert isinstance(made, Certified)
    assert made.abstention is not None
    assert (made.abstention.below, made.abstention.wrong) == (1.0, 0)
    assert made.questions + made.abstention.questions == 600


def test_abstaining_breaks_its_promise_no_more_often_than_stated() -> None:
    """0.6 of the questions are direct, 0.04 of them wrong; 0.2 have confidence 0.8, 0.3 of them wrong. Giving both,
    (0.024 + 0.06) / 0.8 = 0.105 of the given answers are wrong, just over the target of 0.1."""
    rng, n, broken, promised = np.random.default_rng(0), 600, 0, 0
    for _ in range(200):
        direct, sure = rng.random(n) < 0.6, rng.random(n) < 0.5
        fast_right = rng.random(n) < np.where(direct, 0.96, 0.5)
        reasoned_right = rng.random(n) < np.where(direct, 1.0, np.where(sure, 0.7, 0.2))
        table = AnswerTable(
            fast=np.where(direct[:, None], [[0, 0]], [[0, 1]]),
            right=np.stack([fast_right, np.zeros(n, bool)], axis=1),
            reasoning=Reasoning(None, reasoned_right, np.where(sure, 0.8, 0.4), np.full(n, 4), None),
            fast_tokens=None,
            scored=False,
        )
        made = calibrate(table, [CONSENSUS], [2], Promise(0.1, 0.95, abstain_risk=0.1))
        if isinstance(made, Certified) and made.threshold == 1.0 and made.abstention is not None:
            promised += 1
            broken += made.abstention.below <= 0.8
    assert promised > 150
    assert broken <= 10 + 6  # 5 % of the sets, and two standard errors


def test_too_many_wrong_direct_answers_refuse_abstention() -> None:
    made = found([*log(300), *log(150, fast="8888", paths="9999", first=300)], abstain_risk=0.1)
    assert isinstance(made, Refused)
    assert "a risk of 0.1 among the given answers cannot be promised" in made.reason


def test_withholding_every_reasoned_answer_uses_a_threshold_above_all_confidences() -> None:
    right, wrong = log(100, fast="8877", first=300), log(100, fast="8877", paths="8888", first=400)
    made = found([*log(300), *right, *wrong], abstain_risk=0.1)
    assert isinstance(made, Certified)
    assert isinstance(made.abstention, Abstention)
    assert (made.abstention.below, made.abstention.wrong) == (2.0, 0)
