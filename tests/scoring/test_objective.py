"""The objective and its settings, against numbers worked by hand."""

from __future__ import annotations

import random
from math import log
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.scoring.objective import Objective, Ranking, ScoringLoss, scoring_loss


def loss(scores: list[float], targets: list[float], groups: list[int], **weights: Any) -> ScoringLoss:
    """The loss for scores, which are converted to logits."""
    logits = torch.tensor(scores, dtype=torch.float64).logit(eps=1e-9)
    return scoring_loss(logits, torch.tensor(targets).double(), torch.tensor(groups), Objective(**weights))


def worked(total: float, regression: float, ranking: float) -> object:
    return pytest.approx((total, regression, ranking), abs=1e-6)


def numbers(found: ScoringLoss) -> tuple[float, ...]:
    return tuple(part.item() for part in found)


async def test_a_pair_in_the_wrong_order_costs_both_terms() -> None:
    # Huber: errors -0.6 and 0.5, halves of squares 0.18 and 0.125, mean 0.1525
    # hinge: one pair, 0.1 - (0.4 - 0.5) = 0.2
    # total: 0.7 * 0.1525 + 0.3 * 0.2 = 0.10675 + 0.06
    assert numbers(loss([0.4, 0.5], [1, 0], [0, 0])) == worked(0.16675, 0.1525, 0.2)


async def test_a_pair_beyond_the_margin_has_no_ranking_loss() -> None:
    # Huber: errors -0.1 and 0.2, 0.005 and 0.02, mean 0.0125; hinge: 0.1 - 0.7 < 0; total 0.7 * 0.0125
    assert numbers(loss([0.9, 0.2], [1, 0], [0, 0])) == worked(0.00875, 0.0125, 0)


async def test_a_pair_within_the_margin_has_a_ranking_loss() -> None:
    # Huber: errors -0.5 and 0.46, 0.125 and 0.1058, mean 0.1154; hinge: 0.1 - 0.04 = 0.06
    # total: 0.7 * 0.1154 + 0.3 * 0.06 = 0.08078 + 0.018
    assert numbers(loss([0.5, 0.46], [1, 0], [0, 0])) == worked(0.09878, 0.1154, 0.06)


async def test_pairs_are_formed_only_within_a_question() -> None:
    # two questions with one path each, so no pair, although the right path has 0.2 and the wrong one 0.9
    # Huber: errors -0.8 and 0.9, 0.32 and 0.405, mean 0.3625; total 0.7 * 0.3625
    assert numbers(loss([0.2, 0.9], [1, 0], [0, 1])) == worked(0.25375, 0.3625, 0)


async def test_the_ranking_loss_is_the_mean_over_all_pairs_of_the_batch() -> None:
    # question 7: right 0.5; wrong 0.6 and 0.3: hinges 0.2 and 0 (0.1 - 0.2 < 0)
    # question 3: right 0.5; wrong 0.9: hinge 0.5
    # mean over three pairs: 0.7 / 3
    # Huber: 0.125, 0.18, 0.045, 0.125, 0.405; mean 0.176
    found = loss([0.5, 0.6, 0.3, 0.5, 0.9], [1, 0, 0, 1, 0], [7, 7, 7, 3, 3])
    assert numbers(found) == worked(0.7 * 0.176 + 0.3 * 0.7 / 3, 0.176, 0.7 / 3)


async def test_settings_are_used() -> None:
    # Huber with delta 0.2: error -0.6 -> 0.2 * (0.6 - 0.1) = 0.1; error 0.1 -> 0.005; mean 0.0525
    # hinge with margin 0.5: 0.5 - 0.3 = 0.2; alpha a half: (0.0525 + 0.2) / 2
    found = loss([0.4, 0.1], [1, 0], [0, 0], alpha=0.5, delta=0.2, margin=0.5)
    assert numbers(found) == worked(0.12625, 0.0525, 0.2)


async def test_graded_targets_give_a_pair_for_every_difference() -> None:
    # pairs (1, 0.5), (1, 0), (0.5, 0), all at equal scores: hinge 0.1 each; Huber 0.125, 0, 0.125
    found = loss([0.5, 0.5, 0.5], [1, 0.5, 0], [0, 0, 0])
    assert numbers(found) == worked(0.7 * 0.25 / 3 + 0.03, 0.25 / 3, 0.1)


async def test_gradients_raise_the_right_path_and_lower_the_wrong_one() -> None:
    logits = torch.zeros(2, requires_grad=True)
    torch.autograd.backward(scoring_loss(logits, torch.tensor([1.0, 0.0]), torch.tensor([0, 0]), Objective()).total)
    # by score: 0.7 * (S - y) / 2 = -0.175 and 0.175, plus 0.3 * -1 and 0.3 * 1; times S * (1 - S) = 0.25
    assert logits.grad is not None
    assert logits.grad.tolist() == pytest.approx([-0.475 / 4, 0.475 / 4])


@pytest.mark.parametrize("ranking", ["hinge", "bradley_terry"])
async def test_without_pairs_the_ranking_loss_is_zero_and_differentiable(ranking: Ranking) -> None:
    logits = torch.tensor([-0.3, 0.6], requires_grad=True)
    found = scoring_loss(logits, torch.ones(2), torch.tensor([0, 0]), Objective(ranking=ranking)).ranking
    torch.autograd.backward(found)
    assert found.item() == 0
    assert logits.grad is not None
    assert logits.grad.tolist() == [0, 0]


async def test_with_alpha_0_the_total_is_the_regression_loss() -> None:
    # Huber as in the first test; the pair in the wrong order costs nothing
    assert numbers(loss([0.4, 0.5], [1, 0], [0, 0], alpha=0)) == worked(0.1525, 0.1525, 0.2)


async def test_with_alpha_1_only_the_order_of_scores_matters() -> None:
    # Two wrong paths at 0.9 and 0.8 cost nothing on their own. The right paths are 0.05 above and 0.3 below them.
    # hinges: 0.1 - 0.05 = 0.05 and 0.1 + 0.3 = 0.4
    found = loss([0.95, 0.9, 0.5, 0.8], [1, 0, 1, 0], [0, 0, 1, 1], alpha=1)
    assert found.total.item() == pytest.approx(0.225)


async def test_bradley_terry_is_the_log_loss_of_the_difference_of_logits() -> None:
    # odds 4 for the right path and 1 for the wrong one: sigmoid(log 4 - log 1) = 4 / 5
    # odds 1 and 9 in the second question: sigmoid(log 1 - log 9) = 1 / 10
    found = loss([0.8, 0.5, 0.5, 0.9], [1, 0, 1, 0], [0, 0, 1, 1], alpha=1, ranking="bradley_terry")
    assert found.total.item() == pytest.approx((log(5 / 4) + log(10)) / 2)


async def test_bradley_terry_is_finite_for_extreme_logits() -> None:
    logits = torch.tensor([-500.0, 500.0])
    found = scoring_loss(logits, torch.tensor([1.0, 0.0]), torch.zeros(2), Objective(1, ranking="bradley_terry"))
    assert found.total.item() == 1000


@pytest.mark.parametrize("shapes", [(0, 0, 0), (2, 1, 2), (2, 2, 1)])
async def test_shapes_that_do_not_match_are_refused(shapes: tuple[int, int, int]) -> None:
    scores, targets, groups = (torch.zeros(n) for n in shapes)
    with pytest.raises(ValueError, match=r"N >= 1"):
        scoring_loss(scores, targets, groups, Objective())


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(0, 2)), min_size=1, max_size=12), st.randoms())
def test_the_order_of_the_batch_does_not_matter(rows: list[tuple[float, bool, int]], rng: random.Random) -> None:
    mixed = rng.sample(rows, len(rows))
    assert numbers(of_rows(rows)) == pytest.approx(numbers(of_rows(mixed)), abs=1e-5)


def of_rows(rows: list[tuple[float, bool, int]]) -> ScoringLoss:
    scores, targets, groups = zip(*rows, strict=True)
    return loss(list(scores), [float(target) for target in targets], list(groups))


async def test_one_batch_can_be_overfitted() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    inputs, targets, groups = torch.randn(12, 8), torch.tensor([1.0, 0.0, 0.0] * 4), torch.arange(12) // 3
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        found = scoring_loss(model(inputs)[:, 0], targets, groups, Objective())
        torch.autograd.backward(found.total)
        optimizer.step()
    found = scoring_loss(model(inputs)[:, 0], targets, groups, Objective())
    assert found.ranking.item() == 0
    assert found.regression.item() < 1e-3
