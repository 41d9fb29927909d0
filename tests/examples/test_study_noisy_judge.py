"""The noisy judge in the real graph: the measured rates agree with the exact ones."""

import json
import sys

import noisy_judge
import pytest
from gate_errors import GATES, Gate
from noisy_judge import Judge, Kind, cases, judge_of, measured, row, table


def test_every_judge_is_combined_with_every_gate() -> None:
    combinations = list(cases(("fixed", "varying")))
    assert len(combinations) == len(set(combinations)) == 2 * 3 * 2 * 3


@pytest.mark.parametrize(("right_is_first", "says_first"), [(True, 0.3 + 0.7 * 0.8), (False, 0.3 + 0.7 * 0.2)])
def test_a_biased_judge_sometimes_says_first_regardless(right_is_first: bool, says_first: float) -> None:
    assert Judge([0.8], 0.3).says_first(0, right_is_first=right_is_first) == pytest.approx(says_first)


@pytest.mark.parametrize("gate", GATES)
def test_a_judge_that_is_always_right_or_wrong_or_first(gate: Gate) -> None:
    assert measured(gate, Judge([1.0] * 4, 0.0), 4) == [(False, True)] * 4
    assert measured(gate, Judge([0.0] * 4, 0.0), 4) == [(True, True)] * 4
    # In one order, every second wrong candidate comes first. In both orders, the judge is never certain.
    biased = [(False, True), (True, True)] * 2 if gate == "one order" else [(False, False)] * 4
    assert measured(gate, Judge([0.5] * 4, 1.0), 4) == biased


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fixed", "varying"])
@pytest.mark.parametrize("gate", GATES)
def test_the_measured_rates_agree_with_the_exact_ones(kind: Kind, gate: Gate) -> None:
    found = row(kind, 0.6, 0.3, gate, pairs=150)
    # Three standard errors of a share of 150. The pairs are the same every time.
    for estimate, exact in ((found.wrong, found.exact.wrong), (found.direct, found.exact.direct)):
        assert abs(estimate.value - exact) <= 3 * (exact * (1 - exact) / 150) ** 0.5 + 1e-9


def test_the_varying_judge_is_right_equally_often_on_average() -> None:
    judge = judge_of("varying", 0.8, 0.3, 4000)
    assert sum(judge.right) / 4000 == pytest.approx(0.8, abs=0.01)


@pytest.mark.slow
def test_the_program_prints_every_judge_as_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["noisy_judge", "--pairs", "1", "--json"])
    noisy_judge.main()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["kind"], line["p"], line["bias"], line["gate"]) for line in lines] == list(
        cases(("fixed", "varying"))
    )


def test_the_table_has_a_line_for_each_row() -> None:
    [cells] = table("fixed", [row("fixed", 0.8, 0.0, "one order", 2)], 2).rows
    assert cells[:3] == ["0.8", "0", "one order"]
    assert cells[4:6] == ["0.67 %", "1.00"]
