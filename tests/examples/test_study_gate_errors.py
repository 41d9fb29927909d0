"""The exact rates of the gates, against binomials computed by hand."""

import pytest
from gate_errors import Gate, Rates, fixed, varying


@pytest.mark.parametrize(
    ("gate", "right", "bias", "wrong", "direct"),
    [
        # Of 2^5 equally likely sets of votes, 5 + 1 have four or more wrong, and 5 + 1 have four or more right.
        ("one order", 0.5, 0.0, 6 / 32, 12 / 32),
        # 5 * 0.4^4 * 0.6 + 0.4^5, and 5 * 0.6^4 * 0.4 + 0.6^5.
        ("one order", 0.6, 0.0, 0.08704, 0.08704 + 0.33696),
        ("one order", 0.8, 0.0, 0.00672, 0.00672 + 0.73728),
        # Wrong with 0.35 if the right one is first, and with 0.65 if it is second; the mean of both.
        ("one order", 0.5, 0.3, (0.0540225 + 0.428415) / 2, 0.0540225 + 0.428415),
        # Of 2^6 sets of votes, 6 + 1 have five or more wrong.
        ("both orders", 0.5, 0.0, 7 / 64, 14 / 64),
        # 6 * 0.4^5 * 0.6 + 0.4^6, and 6 * 0.6^5 * 0.4 + 0.6^6.
        ("both orders", 0.6, 0.0, 0.04096, 0.04096 + 0.23328),
        ("both orders", 0.8, 0.0, 0.0016, 0.0016 + 0.65536),
        # Three votes with 0.35 and three with 0.65: 0.042875 * 0.71825 + 0.238875 * 0.274625; the same for right ones.
        ("both orders", 0.5, 0.3, 0.096396015625, 0.19279203125),
        # 0.14 and 0.44: 0.002744 * 0.410432 + 0.050568 * 0.085184.
        ("both orders", 0.8, 0.3, 0.00543380992, None),
        # The mean of 0.8 is just enough; 0.3 * 1/2 + 0.7 * 0.8 = 0.71 is not.
        ("probabilities", 0.8, 0.0, 0.0, 1.0),
        ("probabilities", 0.8, 0.3, 0.0, 0.0),
        ("probabilities", 0.5, 0.0, 0.0, 0.0),
    ],
)
def test_a_judge_with_the_same_probability_on_every_pair(
    gate: Gate, right: float, bias: float, wrong: float, direct: float | None
) -> None:
    found = fixed(gate, right, bias)
    assert found.wrong == pytest.approx(wrong, abs=1e-12)
    if direct is not None:
        assert found.direct == pytest.approx(direct, abs=1e-12)


@pytest.mark.parametrize(
    ("gate", "rates"),
    [
        # With uniform probabilities, every number of wrong votes is equally likely.
        ("one order", Rates(2 / 6, 4 / 6)),
        ("both orders", Rates(2 / 7, 4 / 7)),
        ("probabilities", Rates(0.2, 0.4)),
    ],
)
def test_a_judge_whose_probabilities_are_uniform(gate: Gate, rates: Rates) -> None:
    found = varying(gate, 0.5, 0.0, concentration=2)
    assert (found.wrong, found.direct) == pytest.approx((rates.wrong, rates.direct), abs=1e-4)


def test_label_probabilities_of_a_varying_judge_err_if_it_is_certain_and_wrong() -> None:
    # Beta(2, 2): P(x <= 0.2) = 3 * 0.2^2 - 2 * 0.2^3 = 0.104; with b = 0.3 it takes 0.7 (1 - x) + 0.15 >= 0.8.
    assert varying("probabilities", 0.5, 0.0, concentration=4).wrong == pytest.approx(0.104, abs=1e-4)
    x = 1 - 0.65 / 0.7
    assert varying("probabilities", 0.5, 0.3, concentration=4).wrong == pytest.approx(3 * x**2 - 2 * x**3, abs=1e-4)


@pytest.mark.parametrize("right", [0.5, 0.6, 0.8])
@pytest.mark.parametrize("bias", [0.0, 0.3])
def test_probabilities_at_least_halve_the_error_and_with_a_bias_so_do_both_orders(right: float, bias: float) -> None:
    published = fixed("one order", right, bias).wrong
    assert fixed("probabilities", right, bias).wrong <= published / 2
    assert varying("probabilities", right, bias, 4).wrong <= varying("one order", right, bias, 4).wrong / 2
    if bias > 0:
        assert fixed("both orders", right, bias).wrong <= published / 2
