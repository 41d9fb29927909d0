"""The output folder: what is refused there, and from what a training goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.errors import InputError, SettingsError
from egrm_graph.training.output import last_checkpoint, mark_started, open_output, provenance
from tests.training.tiny import settings


def begin(rollouts: Path, base: Path, output: Path, *, resume: bool = False, overwrite: bool = False) -> bool:
    config = settings(rollouts, base, output)
    return open_output(config, provenance(config), resume=resume, overwrite=overwrite)


def started(rollouts: Path, base: Path, output: Path, **changes: Any) -> Path:
    """An output folder in which a training has begun."""
    mark_started(output, provenance(settings(rollouts, base, output, **changes)))
    return output


def finished(rollouts: Path, base: Path, output: Path, **changes: Any) -> Path:
    output.mkdir()
    (output / "egrm.json").write_text(json.dumps(provenance(settings(rollouts, base, output, **changes))))
    return output


@pytest.mark.parametrize("resume", [False, True])
async def test_new_folder_is_begun(rollouts: Path, base: Path, tmp_path: Path, resume: bool) -> None:
    assert begin(rollouts, base, tmp_path / "scorer", resume=resume)


async def test_unfinished_training_is_neither_lost_nor_gone_on_with_unasked(
    rollouts: Path, base: Path, tmp_path: Path
) -> None:
    output = started(rollouts, base, tmp_path / "scorer")
    with pytest.raises(InputError, match=r"unfinished training in .*scorer; go on with it by --resume, or start it"):
        begin(rollouts, base, output)
    assert begin(rollouts, base, output, resume=True)


async def test_finished_scorer_is_not_lost(rollouts: Path, base: Path, tmp_path: Path) -> None:
    output = finished(rollouts, base, tmp_path / "scorer")
    with pytest.raises(InputError, match=r"there is a model in .*scorer already; train it anew by --overwrite"):
        begin(rollouts, base, output)


async def test_resuming_what_is_finished_has_nothing_to_do(rollouts: Path, base: Path, tmp_path: Path) -> None:
    assert not begin(rollouts, base, finished(rollouts, base, tmp_path / "scorer"), resume=True)


async def test_checkpoints_that_were_half_removed_in_the_end_are_removed(
    rollouts: Path, base: Path, tmp_path: Path
) -> None:
    output = finished(rollouts, base, tmp_path / "scorer")
    (output / "checkpoints" / "checkpoint-7").mkdir(parents=True)
    assert not begin(rollouts, base, output, resume=True)
    assert [file.name for file in output.iterdir()] == ["egrm.json"]


async def test_overwriting_removes_what_is_ours_and_nothing_else(rollouts: Path, base: Path, tmp_path: Path) -> None:
    output = started(rollouts, base, finished(rollouts, base, tmp_path / "scorer"))
    (output / "model-00001-of-00002.safetensors").touch()
    (output / "notes.txt").touch()
    assert begin(rollouts, base, output, overwrite=True)
    checkpoints = mark_started(output, {}, overwrite=True)
    assert {file.name for file in output.iterdir()} == {"notes.txt", "checkpoints"}
    assert [file.name for file in checkpoints.iterdir()] == ["training.json"]


async def test_resume_and_overwrite_contradict_each_other(rollouts: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="give one of them"):
        begin(rollouts, base, tmp_path / "scorer", resume=True, overwrite=True)


async def test_base_is_never_overwritten(rollouts: Path, base: Path) -> None:
    with pytest.raises(SettingsError, match="is the base model itself; name another folder"):
        begin(rollouts, base, base, overwrite=True)


async def test_checkpoints_of_something_else_are_left_alone(rollouts: Path, base: Path, tmp_path: Path) -> None:
    (tmp_path / "scorer" / "checkpoints" / "checkpoint-7").mkdir(parents=True)
    with pytest.raises(InputError, match="holds something that is not of this training"):
        begin(rollouts, base, tmp_path / "scorer", overwrite=True)
    assert (tmp_path / "scorer" / "checkpoints" / "checkpoint-7").is_dir()


@pytest.mark.parametrize("state", [started, finished])
async def test_other_settings_are_named(rollouts: Path, base: Path, tmp_path: Path, state: Any) -> None:
    output = state(rollouts, base, tmp_path / "scorer", learning_rate=0.5, seed=3)
    message = r"settings\.learning_rate was 0\.5 and is 0\.01; settings\.seed was 3 and is 0; give what"
    with pytest.raises(SettingsError, match=message):
        begin(rollouts, base, output, resume=True)


async def test_other_data_are_named(rollouts: Path, base: Path, tmp_path: Path) -> None:
    output = started(rollouts, base, tmp_path / "scorer")
    rollouts.write_text(rollouts.read_text() + "\n")
    with pytest.raises(
        SettingsError, match=r"something else: data_sha256\.rollouts was [0-9a-f]{64} and is [0-9a-f]{64};"
    ):
        begin(rollouts, base, output, resume=True)


async def test_held_out_file_that_is_not_given_any_more_is_named(rollouts: Path, base: Path, tmp_path: Path) -> None:
    output = started(rollouts, base, tmp_path / "scorer", held_out=rollouts)
    with pytest.raises(SettingsError, match=r"data_sha256\.held_out was [0-9a-f]{64} and is None"):
        begin(rollouts, base, output, resume=True)


async def test_missing_rollouts_are_an_error_of_input(base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.jsonl cannot be read"):
        begin(tmp_path / "nowhere.jsonl", base, tmp_path / "scorer")


def checkpoint(folder: Path, step: int, state: str) -> Path:
    made = folder / f"checkpoint-{step}"
    made.mkdir()
    (made / "model.safetensors").touch()
    (made / "trainer_state.json").write_text(state)
    return made


async def test_half_written_checkpoints_are_passed_over_and_removed(tmp_path: Path) -> None:
    whole = json.dumps({"global_step": 90, "best_global_step": 80, "best_model_checkpoint": "/elsewhere"})
    checkpoint(tmp_path, 80, whole)
    checkpoint(tmp_path, 90, whole)
    cut, empty = checkpoint(tmp_path, 100, whole[:-9]), checkpoint(tmp_path, 110, whole)
    (empty / "trainer_state.json").unlink()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-90"
    assert (cut.exists(), empty.exists()) == (False, False)


async def test_moved_checkpoint_knows_where_the_best_one_is(tmp_path: Path) -> None:
    checkpoint(tmp_path, 90, json.dumps({"best_global_step": 80, "best_model_checkpoint": "/elsewhere/checkpoint-80"}))
    found = last_checkpoint(tmp_path)
    assert found is not None
    state = json.loads((found / "trainer_state.json").read_text())
    assert state["best_model_checkpoint"] == str(tmp_path / "checkpoint-80")


async def test_without_a_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "nowhere") is None
