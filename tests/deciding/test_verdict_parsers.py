"""What a verdict on a pair counts under both parsers."""

import pytest

from egrm_graph.benchmark.demo_methods import rewardbench_of
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.deciding.verdict_parsers import rewardbench_score, strict_score


@pytest.mark.parametrize(
    ("verdict", "reference", "strict", "rewardbench"),
    [
        ("A", "A", 1.0, 1.0),
        ("B", "A", 0.0, 0.0),
        (None, "A", 0.0, 0.5),
        ("tie", "A", 0.0, 0.5),
        ("tie", "tie", 1.0, 1.0),
        ("A", "tie", 0.0, 0.0),
        (None, "tie", 0.0, 0.5),
    ],
)
def test_only_a_verdict_that_names_no_candidate_depends_on_the_parser(
    verdict: str | None, reference: str, strict: float, rewardbench: float
) -> None:
    assert strict_score(verdict, reference) == strict
    assert rewardbench_score(verdict, reference) == rewardbench


@pytest.mark.parametrize(("n", "score"), [(0, None), (1, None), (2, 0.5), (3, None)])
def test_only_pairs_have_a_score_by_rewardbench(n: int, score: float | None) -> None:
    question = BenchQuestion("1", "17+48", "A", 1, candidates=("65", "66", "67")[:n])
    assert rewardbench_of(question, None) == score
