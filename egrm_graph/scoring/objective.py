"""The training objective: scores that are close to the truth, and in the right order within a question.

    L = (1 - alpha) * mean Huber_delta(S, y) + alpha * mean over pairs of R(i, j)

S is the sigmoid of the model's single logit z. A pair is two paths of one question, of which the first is better,
y_i > y_j. R is either the hinge max(0, margin - (S_i - S_j)), or Bradley and Terry's -log sigmoid(z_i - z_j). The
regression gives the score its meaning across questions. The choice among one question's paths depends on the ranking.
With alpha 0 only the first counts, and with alpha 1 only the second.

Source: E-GRM, arXiv:2604.10072; published alpha = 0.3, delta = 1.0, margin = 0.1, with the hinge. Bradley-Terry on the
logits, which most reward models use: Ouyang et al. 2022, arXiv:2203.02155, equation 1.
Convention: alpha weighs the ranking. Descriptions of the source disagree; some have alpha * Huber + (1 - alpha) *
hinge, and then the published setting is alpha = 0.7 here. See docs/results/scorer.md.
Differs: |S - y| <= 1, so the published delta makes the Huber term half the squared error. Only a smaller delta makes
it linear for large errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

Ranking = Literal["hinge", "bradley_terry"]


@dataclass(frozen=True)
class Objective:
    """The weights of the objective, by default the published ones."""

    alpha: float = 0.3
    delta: float = 1.0
    margin: float = 0.1
    ranking: Ranking = "hinge"


class ScoringLoss(NamedTuple):
    """Three scalars; `total` is the weighted sum of the other two."""

    total: Tensor
    regression: Tensor
    ranking: Tensor


def scoring_loss(logits: Tensor, targets: Tensor, groups: Tensor, objective: Objective) -> ScoringLoss:
    """The objective over a batch of N >= 1 paths. Without a pair, the ranking is 0.

    `targets` are in [0, 1]; `groups` has the number of each path's question. All are (N,).

    Source: E-GRM, arXiv:2604.10072.
    """
    from torch.nn.functional import huber_loss

    if not len(logits) or not logits.shape == targets.shape == groups.shape == (len(logits),):
        shapes = [tuple(tensor.shape) for tensor in (logits, targets, groups)]
        raise ValueError(f"logits, targets and groups have to be (N,) with N >= 1, not {shapes}")
    regression = huber_loss(logits.sigmoid(), targets, delta=objective.delta)
    ranking = _ranking(logits, targets, groups, objective)
    return ScoringLoss((1 - objective.alpha) * regression + objective.alpha * ranking, regression, ranking)


def _ranking(logits: Tensor, targets: Tensor, groups: Tensor, objective: Objective) -> Tensor:
    from torch.nn.functional import softplus

    pairs = (groups[:, None] == groups[None, :]) & (targets[:, None] > targets[None, :])  # (N, N)
    if objective.ranking == "bradley_terry":
        costs = softplus(logits[None, :] - logits[:, None])  # (N, N); -log sigmoid(x) = softplus(-x)
    else:
        scores = logits.sigmoid()
        costs = (objective.margin - (scores[:, None] - scores[None, :])).clamp(min=0)  # (N, N)
    return (costs * pairs).sum() / pairs.sum().clamp(min=1)
