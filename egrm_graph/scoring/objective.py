"""What a scorer is trained for: to be near the truth on each path, and in the right order within a question.

    L = (1 - alpha) * mean Huber_delta(S, y) + alpha * mean over pairs of max(0, margin - (S_i - S_j))

A pair is two paths of one question of which the first is the better one, y_i > y_j. The regression gives the score
its meaning across questions; the ranking is what the choice among one question's paths depends on.

Source: E-GRM, arXiv:2604.10072; published alpha = 0.3, delta = 1.0, margin = 0.1.
Differs: S is the sigmoid of the model's one logit, so that |S - y| <= 1 and the published delta makes the Huber term
half the squared error; a smaller delta makes it bend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Loss(NamedTuple):
    """Three scalars; `total` is the weighted sum of the other two."""

    total: Tensor
    regression: Tensor
    ranking: Tensor


def hybrid_loss(
    scores: Tensor,
    targets: Tensor,
    groups: Tensor,
    *,
    alpha: float = 0.3,
    delta: float = 1.0,
    margin: float = 0.1,
) -> Loss:
    """The hybrid of regression and ranking over a batch of N >= 1 paths; without a pair the ranking is 0.

    `scores` and `targets` are in [0, 1]; `groups` numbers each path's question. All are (N,).

    Source: E-GRM, arXiv:2604.10072.
    """
    from torch.nn.functional import huber_loss

    if not len(scores) or not scores.shape == targets.shape == groups.shape == (len(scores),):
        shapes = [tuple(given.shape) for given in (scores, targets, groups)]
        raise ValueError(f"scores, targets and groups have to be (N,) with N >= 1, not {shapes}")
    regression = huber_loss(scores, targets, delta=delta)
    ranking = _hinge(scores, targets, groups, margin)
    return Loss((1 - alpha) * regression + alpha * ranking, regression, ranking)


def _hinge(scores: Tensor, targets: Tensor, groups: Tensor, margin: float) -> Tensor:
    pairs = (groups[:, None] == groups[None, :]) & (targets[:, None] > targets[None, :])  # (N, N)
    short = (margin - (scores[:, None] - scores[None, :])).clamp(min=0)  # (N, N)
    return (short * pairs).sum() / pairs.sum().clamp(min=1)
