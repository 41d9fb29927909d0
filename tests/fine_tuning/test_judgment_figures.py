"""Figures about judgments, by hand."""

from __future__ import annotations

from egrm_graph.fine_tuning.judgment_figures import LabeledJudgment, judgment_figures


async def test_an_unreadable_verdict_or_a_false_tie_is_wrong_or_half_right() -> None:
    judged = [
        LabeledJudgment("A", "A", 10),
        LabeledJudgment("A", "B", 20),
        LabeledJudgment("B", None, 30),
        LabeledJudgment("B", "tie", 40),
    ]
    assert judgment_figures(judged) == {
        "accuracy": 0.25,
        "rewardbench_accuracy": 0.5,
        "unreadable": 0.25,
        "tokens": 25.0,
    }


async def test_each_domain_has_its_own_figures_and_its_fitting_structure() -> None:
    judged = [
        LabeledJudgment("A", "A", 10, "breadth", "preference"),
        LabeledJudgment("A", "B", 10, "depth", "preference"),
        LabeledJudgment("A", "A", 20, "depth", "correctness"),
        LabeledJudgment("A", "A", 20, "plain", None),
    ]
    figures = judgment_figures(judged)
    assert figures["fit"] == 2 / 3  # one has no domain
    assert (figures["breadth"], figures["depth"], figures["plain"]) == (0.25, 0.5, 0.25)
    assert (figures["preference/fit"], figures["correctness/fit"]) == (0.5, 1.0)
    assert (figures["preference/accuracy"], figures["correctness/accuracy"]) == (0.5, 1.0)
    assert (figures["preference/tokens"], figures["correctness/tokens"]) == (10.0, 20.0)


async def test_without_judgments_nothing_is_measured() -> None:
    assert judgment_figures([]) == {}
