"""The settings of a training, and which of them conflict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from egrm_graph.scoring.objective import Objective
from egrm_graph.training.training_settings import ScorerTraining


def settings(**changes: Any) -> ScorerTraining:
    return ScorerTraining(rollouts=Path("a"), base="b", output=Path("c"), **changes)


@pytest.mark.parametrize("change", [{"alpha": 1.5}, {"input": "{path}"}, {"epochs": 0}, {"learning_rte": 1e-3}])
async def test_settings_out_of_range_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**change)


async def test_published_objective_is_the_default() -> None:
    assert settings().weights == Objective(alpha=0.3, delta=1.0, margin=0.1, ranking="hinge")


@pytest.mark.parametrize(
    ("changes", "weights"),
    [
        ({"objective": "hybrid", "alpha": 0.5, "delta": 0.2, "margin": 0.4}, Objective(0.5, 0.2, 0.4, "hinge")),
        ({"objective": "regression", "delta": 0.2}, Objective(0.0, 0.2, 0.1, "hinge")),
        ({"objective": "hinge", "margin": 0.4}, Objective(1.0, 1.0, 0.4, "hinge")),
        ({"objective": "bradley_terry"}, Objective(1.0, 1.0, 0.1, "bradley_terry")),
    ],
)
async def test_every_objective_is_a_special_case_of_one(changes: dict[str, Any], weights: Objective) -> None:
    assert settings(**changes).weights == weights


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "regression", "alpha": 0.3},
        {"objective": "regression", "margin": 0.1},
        {"objective": "hinge", "alpha": 1.0},
        {"objective": "hinge", "delta": 1.0},
        {"objective": "bradley_terry", "margin": 0.1},
    ],
)
async def test_a_weight_that_the_objective_does_not_use_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"has no effect with objective=(regression|hinge|bradley_terry)"):
        settings(**changes)


async def test_only_settings_with_an_effect_are_recorded() -> None:
    recorded = settings(objective="hinge", margin=0.2).recorded()
    assert (recorded["objective"], recorded["margin"]) == ("hinge", 0.2)
    assert not {"alpha", "delta", "rollouts", "base", "output", "held_out"} & recorded.keys()


async def test_the_scale_of_corrections_without_a_rank_is_an_error() -> None:
    with pytest.raises(ValidationError, match="lora_alpha=16 has no effect without lora_rank"):
        settings(lora_alpha=16)
