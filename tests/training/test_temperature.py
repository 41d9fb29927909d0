"""Calibration of a trained scorer: cross-fitted figures, and the temperature in the weights."""

from __future__ import annotations

import json
import math
from math import exp, log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from egrm_graph.errors import InputError, ModelError
from egrm_graph.scoring.checkpoint import read_manifest
from egrm_graph.training.rollout_file import Rollout, RolloutPath, in_first_half
from egrm_graph.training.temperature import check_foldable, fit, fold
from egrm_graph.training.train_scorer import train_scorer
from tests.training.tiny import save_rollouts, settings

BATCH = {"input_ids": torch.tensor([[1, 5, 6], [1, 7, 0]]), "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]])}


def about(*bins: tuple[int, float, float]) -> object:
    return [pytest.approx(part) for part in bins]


def question(first_half: bool, *marks: bool) -> Rollout:
    """A question in this half."""
    name = next(name for name in map(str, range(100)) if in_first_half(rollout(name)) is first_half)
    return rollout(name, *marks)


def rollout(name: str, *marks: bool) -> Rollout:
    paths = tuple(RolloutPath(text="-", correct=mark) for mark in marks or (True,))
    return Rollout(id=name, question=name, paths=paths)


def targets(rollouts: list[Rollout]) -> list[list[float]]:
    return [[path.target for path in rollout.paths] for rollout in rollouts]


async def test_each_half_is_measured_with_the_temperature_of_the_other() -> None:
    # All logits are 2 log 3. First half: three of four right, odds 3, T = 2. Second half: nine of ten right, odds 9,
    # T = 1. Together: 12 of 14, odds 6, T = 2 log 3 / log 6.
    rollouts = [question(True, True, True, True, False), question(False, *[True] * 9, False)]
    found = fit(rollouts, [[2 * log(3)] * 4, [2 * log(3)] * 10], targets(rollouts))
    assert found.temperature == pytest.approx(2 * log(3) / log(6))
    assert found.temperatures_of_halves == pytest.approx((2, 1))
    # Before, all score 9/10, and 12 of 14 are right. After, the first half scores 9/10 with the temperature of the
    # second, and 3/4 are right. The second scores 3/4 with the temperature of the first, and 9/10 are right.
    assert found.before.bins == about((14, 0.9, 12 / 14))
    assert found.after.bins == about((10, 0.75, 0.9), (4, 0.9, 0.75))
    calibration = found.calibration
    assert (calibration.questions, calibration.paths) == (2, 14)
    assert (calibration.ece_before, calibration.ece_after) == pytest.approx((0.9 - 12 / 14, 0.15))
    assert calibration.brier_before == pytest.approx((12 * 0.01 + 2 * 0.81) / 14)
    assert calibration.brier_after == pytest.approx((3 * 0.01 + 0.81 + 9 * 0.0625 + 0.5625) / 14)


async def test_without_a_fit_of_both_halves_the_figures_are_not_cross_fitted() -> None:
    rollouts = [question(True, True, True, False), question(False, True, True)]  # no wrong path in the second half
    found = fit(rollouts, [[1.0, 1.0, 1.0], [1.0, 1.0]], targets(rollouts))
    assert found.temperature == pytest.approx(1 / math.log(4))  # the score is 0.8, which is the share of right paths
    assert found.temperatures_of_halves is None
    assert not found.calibration.cross_fitted
    assert found.calibration.ece_after == pytest.approx(0, abs=1e-6)


async def test_without_any_wrong_path_nothing_can_be_fitted() -> None:
    with pytest.raises(InputError, match="no held-out path is wrong"):
        fit([question(True, True, True)], [[1.0, 1.0]], [[1.0, 1.0]])


async def test_the_halves_are_about_equal() -> None:
    first = [in_first_half(rollout(str(n))) for n in range(2000)]
    assert 900 < sum(first) < 1100


class Squashed(torch.nn.Module):
    """A head with a function applied to its output."""

    config = SimpleNamespace(pad_token_id=0)
    device = torch.device("cpu")

    def __init__(self, squash: Any) -> None:
        super().__init__()
        self.head = torch.nn.Linear(3, 1)
        self.squash = squash

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        return SimpleNamespace(logits=self.squash(self.head((input_ids * attention_mask).float())))


async def test_logits_are_divided_by_the_temperature_weights_and_bias() -> None:
    torch.manual_seed(0)
    model: Any = Squashed(torch.nn.Identity())
    weights, bias = model.head.weight.clone(), model.head.bias.clone()
    fold(model, 1.6, BATCH)
    assert torch.equal(model.head.weight, weights / 1.6)
    assert torch.equal(model.head.bias, bias / 1.6)


async def test_a_head_whose_logits_do_not_scale_is_an_error_and_unchanged() -> None:
    torch.manual_seed(0)
    model: Any = Squashed(torch.nn.Tanh())
    weights = model.head.weight.clone()
    with pytest.raises(ModelError, match=r"logits do not scale with its last layer.*--calibration none"):
        fold(model, 1.6, BATCH)
    assert torch.equal(model.head.weight, weights)


async def test_a_model_without_a_single_output_is_an_error() -> None:
    model: Any = torch.nn.Sequential(torch.nn.Linear(3, 2))
    with pytest.raises(ModelError, match="no layer with one output"):
        check_foldable(model, BATCH)


async def test_checking_does_not_change_the_weights() -> None:
    torch.manual_seed(0)
    model: Any = Squashed(torch.nn.Identity())
    weights = model.head.weight.clone()
    check_foldable(model, BATCH)
    assert torch.equal(model.head.weight, weights)


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """Rollouts with one fifth of false marks, so no scorer can be certain."""
    return save_rollouts(tmp_path / "noisy.jsonl", questions=60, noise=0.2)


async def test_a_trained_scorer_has_its_temperature_in_its_head(noisy: Path, base: Path, tmp_path: Path) -> None:
    plain = train_scorer(settings(noisy, base, tmp_path / "plain", calibration="none"))
    calibrated = train_scorer(settings(noisy, base, tmp_path / "calibrated"))
    calibration = read_manifest(calibrated).calibration
    assert calibration is not None
    assert abs(calibration.temperature - 1) > 0.02
    before, after = load_file(plain / "model.safetensors"), load_file(calibrated / "model.safetensors")
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"score.weight"}
    one, other = (AutoModelForSequenceClassification.from_pretrained(folder) for folder in (plain, calibrated))
    with torch.no_grad():
        assert torch.allclose(other(**BATCH).logits, one(**BATCH).logits / calibration.temperature, rtol=1e-5)


async def test_uncalibrated_scorer_says_so(noisy: Path, base: Path, tmp_path: Path) -> None:
    folder = train_scorer(settings(noisy, base, tmp_path / "plain", calibration="none"))
    assert json.loads((folder / "egrm.json").read_text())["calibration"] is None


async def test_temperature_is_the_best_one_on_the_held_out_paths(noisy: Path, base: Path, tmp_path: Path) -> None:
    """The derivative of the mean log loss on the held-out paths with respect to the temperature is zero."""
    held_out = save_rollouts(tmp_path / "held_out.jsonl", questions=90, noise=0.2)
    lines = [json.loads(line) for line in held_out.read_text().splitlines()][60:]
    held_out.write_text("".join(json.dumps(line) + "\n" for line in lines))
    folder = train_scorer(settings(noisy, base, tmp_path / "scorer", held_out=held_out))
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    slope = 0.0
    for line in lines:
        for path in line["paths"]:
            with torch.no_grad():
                logit = model(**tokenizer(f"{line['question']}:{path['text']}", return_tensors="pt")).logits.item()
            slope += logit * (1 / (1 + exp(-logit)) - path["correct"])
    assert slope == pytest.approx(0, abs=1e-3)
