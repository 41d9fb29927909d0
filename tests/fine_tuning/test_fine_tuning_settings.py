"""The settings of the trainings of language models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from egrm_graph.fine_tuning.judge_settings import JudgeTraining
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.training.training_settings import ScorerTraining

FILES: dict[str, Any] = {"data": Path("rows.jsonl"), "base": "model", "output": Path("out")}


@pytest.mark.parametrize(
    ("base", "folder"),
    [
        ("egrm-tiny", str(bundled("egrm-tiny"))),
        ("some/name", "some/name"),
        ("gpt2", "gpt2"),
        ("models/egrm-tiny", "models/egrm-tiny"),
    ],
)
def test_a_bundled_model_is_found_by_its_name(base: str, folder: str) -> None:
    assert JudgeTraining(**{**FILES, "base": base}).base == folder
    assert ScorerTraining(rollouts=Path("rollouts.jsonl"), base=base, output=Path("out")).base == folder


def test_a_folder_goes_before_a_bundled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "egrm-tiny").mkdir()
    assert JudgeTraining(**{**FILES, "base": "egrm-tiny"}).base == "egrm-tiny"


async def test_the_defaults_are_the_published_ones() -> None:
    supervised, reinforced = JudgeTraining(**FILES), JudgeTraining(**FILES, reinforce=True)
    assert (supervised.rate, supervised.epochs, supervised.batch_size) == (2e-5, 2, 128)
    assert (reinforced.rate, reinforced.n_steps(21000), reinforced.group_size) == (1e-6, 100, 8)
    assert (reinforced.temperature, reinforced.kl) == (0.8, 0.001)


@pytest.mark.parametrize(
    ("values", "n_rows", "steps"), [({}, 256, 4), ({}, 257, 6), ({"epochs": 1}, 5, 1), ({"steps": 9}, 5, 9)]
)
async def test_an_epoch_is_a_pass_over_the_rows(values: dict[str, Any], n_rows: int, steps: int) -> None:
    assert JudgeTraining(**FILES, **values).n_steps(n_rows) == steps


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kl": 0.1}, "kl only has an effect with reinforce"),
        ({"shuffle_labels": True}, "shuffle_labels only has an effect with reinforce"),
        ({"reinforce": True, "epochs": 3}, "epochs only has an effect without reinforce"),
        ({"reinforce": True, "held_out": "x"}, "held_out only has an effect without reinforce"),
        ({"lora_alpha": 8}, "no effect without lora_rank"),
        ({"batch_size": 12, "rows_at_once": 8}, "rows_at_once=8 does not divide batch_size=12"),
        ({"reinforce": True, "batch_size": 12, "rows_at_once": 4}, "batch_size=12 is not a multiple of group_size=8"),
        ({"reinforce": True, "vllm": "server"}, "vllm_url goes with vllm=server"),
        ({"reinforce": True, "vllm_url": "http://x"}, "vllm_url goes with vllm=server"),
        ({"steps": 3, "epochs": 3}, "epochs=3 has no effect with steps=3"),
        ({"learning_rate": 0}, "greater than 0"),
    ],
)
async def test_settings_without_an_effect_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        JudgeTraining(**FILES, **values)


async def test_a_small_batch_is_one_pass() -> None:
    assert JudgeTraining(**FILES, batch_size=4).pass_rows == 4


async def test_a_checkpoint_records_what_has_an_effect_and_no_paths() -> None:
    supervised = JudgeTraining(**FILES, pairs=Path("pairs.jsonl")).recorded()
    assert {"data", "base", "output", "pairs", "held_out", "kl", "shuffle_labels"} & set(supervised) == set()
    assert supervised["learning_rate"] == 2e-5
    reinforced = JudgeTraining(**FILES, reinforce=True).recorded()
    assert "epochs" not in reinforced
    assert reinforced["kl"] == 0.001


@pytest.mark.parametrize(
    ("thinking", "options"),
    [("default", {}), ("off", {"enable_thinking": False, "thinking": False})],
)
async def test_thinking_is_an_option_of_the_template(thinking: Any, options: dict[str, bool]) -> None:
    assert JudgeTraining(**FILES, thinking=thinking).template_options == options
