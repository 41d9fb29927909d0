"""What may be chosen among the paths of trees and samples, against figures worked by hand."""

import math
from collections.abc import Sequence
from typing import Any

import pytest

from egrm_graph.benchmark.path_sets import (
    PathSet,
    accuracy,
    any_right,
    between,
    by_probability,
    choosers,
    closed_share,
    in_order,
    majority,
    points,
)
from egrm_graph.verification import Anchor, Branch, Path, Token


def leaf(parent: int | None, ids: Sequence[int], at: int, **anchors: tuple[float, float]) -> Path:
    """A path of these tokens. `a1=(0.6, 0.4)` is an anchor at token 1, with the probabilities of its token and of 9."""
    made = [
        Anchor(
            at=int(name[1:]),
            end=int(name[1:]),
            entropy=0.5,
            entropy_most=0.5,
            taken=Token(id=ids[int(name[1:])], text="t", logprob=math.log(taken)),
            others=[Token(id=9, text="o", logprob=math.log(other))],
        )
        for name, (taken, other) in anchors.items()
    ]
    branch = Branch(parent=parent, at=at, anchors=made, shared_ends=[], token_ids=list(ids))
    given: Any = {"text": "", "answer": "", "error": None, "n_tokens": len(ids), "branch": branch}
    path: Path = given
    return path


def tree(scores: Sequence[Sequence[float] | None], right: Sequence[bool] = (True, False, False)) -> PathSet:
    """Three leaves with the probabilities 0.6, 0.28, and 0.12, of which the last two have the same answer."""
    paths = [leaf(None, [1, 2, 3], 0, a1=(0.6, 0.4)), leaf(0, [1, 9, 4], 1, a2=(0.7, 0.3)), leaf(1, [1, 9, 9], 2)]
    return PathSet("q", paths, [0, 1, 1], right, {"s": scores}, tokens=7)


SCORES = [[0.9, 0.2], [0.5, 0.6], [0.8, 0.5]]


def test_choices_by_hand() -> None:
    drawn = tree(SCORES)
    assert any_right(drawn) == 1.0
    assert majority(drawn) == 0.0  # two leaves against one
    assert by_probability(drawn) == 1.0  # 0.6 against 0.4
    found = choosers(["s"])
    chosen = {name: found[f"s: {name}"](drawn) for name in ("product", "minimum", "last")}
    # Products 0.18, 0.3, 0.4; minima 0.2, 0.5, 0.5; last 0.2, 0.6, 0.5.
    assert chosen == {"product": 0.0, "minimum": 0.0, "last": 0.0}
    better = tree([[0.9, 0.7], [0.5, 0.6], [0.8, 0.5]])  # products 0.63, 0.3, 0.4
    assert found["s: product"](better) == 1.0
    assert choosers(["s"], "weighted_vote")["s: product"](better) == 0.0  # 0.63 against 0.3 + 0.4


def test_scores_may_be_weighed_by_the_leaves() -> None:
    drawn = tree(SCORES)  # products 0.18, 0.3, 0.4; weights 0.6, 0.28, 0.12
    fully, slightly = choosers(["s"], leaf_prior=1.0), choosers(["s"], leaf_prior=0.1)
    assert fully["s: product, weighed by leaves"](drawn) == 1.0  # 0.108 against 0.084 and 0.048
    assert slightly["s: product, weighed by leaves"](drawn) == 0.0
    assert fully["s: product"](drawn) == 0.0


def test_two_scorers_are_multiplied_and_a_path_without_a_score_is_out() -> None:
    drawn = tree(SCORES)
    both = PathSet("q", drawn.paths, drawn.classes, drawn.right, {**drawn.scores, "t": [[0.9], None, [0.1]]}, tokens=7)
    chosen = choosers(["s", "t"])["both: last"]
    assert chosen(both) == 1.0  # 0.18 against 0.05


def test_labels_between_are_those_of_branch_points_with_right_and_wrong_leaves() -> None:
    # Three leaves, and what is shared before tokens 1 and 2: all three leaves (one right), and the last two.
    assert between([tree(SCORES)]) == pytest.approx(1 / 5)
    assert between([tree(SCORES, (True, False, True))]) == pytest.approx(2 / 5)
    assert between([tree(SCORES, (True, True, True))]) == 0.0


def test_differences_are_paired_and_shares_of_the_distance_are_closed() -> None:
    good, bad = tree([[0.9], [0.1], [0.1]]), tree([[0.1], [0.9], [0.1]])
    chosen = choosers(["s"])["s: last"]
    assert accuracy([good, bad], chosen).value == 0.5
    assert points([good, bad], any_right, [good, bad], chosen).value == 50.0
    assert closed_share([good, bad], any_right, chosen).value == 1.0
    assert math.isnan(closed_share([good, good], any_right, chosen).value)


def test_pairs_of_a_right_and_a_wrong_path_are_in_order_or_not() -> None:
    drawn = [tree(SCORES, (True, True, False)), tree([[0.4], [0.4], None]), tree(SCORES, (True, True, True))]
    found = in_order(drawn, "s", "product")  # 0.18 and 0.3 against 0.4, and a tie
    assert found is not None
    assert found.value == pytest.approx(0.5 / 3)
    assert in_order(drawn[2:], "s", "product") is None


def test_the_first_samples_cost_their_own_tokens() -> None:
    first = tree(SCORES).first(2)
    assert (first.leaves, first.tokens, len(first.scores["s"])) == (2, 6, 2)
