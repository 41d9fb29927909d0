"""What follows from the units of a judgment: its structure, its majority, and whether that is the verdict."""

import pytest

from egrm_graph.judgments.judgment import BREADTH_AT, MIXED, Judgment, Structure, Unit, majority_of


def judgment(sub_verdicts: str, verdict: str | None = "A", solution: str | None = None) -> Judgment:
    units = (Unit(f"P{k}", "rule", "text", MIXED if each == "-" else each) for k, each in enumerate(sub_verdicts))
    return Judgment(solution, tuple(units), (), verdict)


@pytest.mark.parametrize(
    ("sub_verdicts", "majority"),
    [("", None), ("A", "A"), ("AAB", "A"), ("AB", None), ("A--", "A"), ("--", None), ("ABBC", "B"), ("AABBC", None)],
)
def test_the_majority_is_the_most_frequent_sub_verdict_and_mixed_ones_do_not_count(
    sub_verdicts: str, majority: str | None
) -> None:
    assert judgment(sub_verdicts).majority == majority
    assert majority_of([MIXED if each == "-" else each for each in sub_verdicts]) == majority


@pytest.mark.parametrize(
    ("sub_verdicts", "verdict", "consistent"),
    [("AAB", "A", True), ("AAB", "B", False), ("AB", "A", None), ("", "A", None), ("AA", None, None)],
)
def test_a_judgment_is_consistent_if_the_majority_is_its_verdict(
    sub_verdicts: str, verdict: str | None, consistent: bool | None
) -> None:
    assert judgment(sub_verdicts, verdict).consistent is consistent


@pytest.mark.parametrize(
    ("n", "solution", "structure"),
    [(BREADTH_AT, None, "breadth"), (BREADTH_AT - 1, None, "plain"), (0, None, "plain"), (BREADTH_AT, "56", "depth")],
)
def test_the_structure_follows_from_the_solution_and_the_number_of_principles(
    n: int, solution: str | None, structure: Structure
) -> None:
    assert judgment("A" * n, solution=solution).structure == structure


def test_principles_of_one_name_count_once() -> None:
    units = tuple(Unit(name, "rule", "text", "A") for name in ("Tone", "tone", "Length", "Clarity"))
    assert Judgment(None, units, (), "A").structure == "plain"


def test_labels_are_replaced_by_the_outcomes_that_they_mean() -> None:
    renamed = judgment("AB-", "B").renamed({"A": "B", "B": "A"})
    assert [unit.sub_verdict for unit in renamed.units] == ["B", "A", MIXED]
    assert renamed.verdict == "A"
