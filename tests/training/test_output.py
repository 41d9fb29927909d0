"""The output folder: what it must not contain, and how a training resumes."""

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
    """An output folder with a started training."""
    mark_started(output, provenance(settings(rollouts, base, output, **changes)))
    return output


def complete(rollouts: Path, base: Path, output: Path, **changes: Any) -> Path:
    output.mkdir()
    (output / "egrm.json").write_text(json.dumps(provenance(settings(rollouts, base, output, **changes))))
    return output


@pytest.mark.parametrize("resume", [False, True])
async def test_new_folder_is_begun(rollouts: Path, base: Path, tmp_path: Path, resume: bool) -> None:
    assert begin(rollouts, base, tmp_path / "scorer", resume=resume)


async def test_an_unfinished_training_is_neither_lost_nor_resumed_without_an_option(
    rollouts: Path, base: Path, tmp_path: Path
) -> None:
    output = started(rollouts, base, tmp_path / "scorer")
    with pytest.raises(
        InputError, match=r"scorer has an unfinished training; continue it with --resume, or start over"
    ):
        begin(rollouts, base, output)
    assert begin(rollouts, base, output, resume=True)


async def test_a_complete_scorer_is_not_lost(rollouts: Path, base: Path, tmp_path: Path) -> None:
    output = complete(rollouts, base, tmp_path / "scorer")
    with pytest.raises(
        InputError, match=r"scorer has a model already; name another folder, or replace it with --overwrite"
    ):
        begin(rollouts, base, output)


async def test_resuming_a_complete_scorer_does_nothing(rollouts: Path, base: Path, tmp_path: Path) -> None:
    assert not begin(rollouts, base, complete(rollouts, base, tmp_path / "scorer"), resume=True)


async def test_checkpoints_that_were_partly_removed_at_the_end_are_removed(
    rollouts: Path, base: Path, tmp_path: Path
) -> None:
    output = complete(rollouts, base, tmp_path / "scorer")
    (output / "checkpoints" / "checkpoint-7").mkdir(parents=True)
    assert not begin(rollouts, base, output, resume=True)
    assert [file.name for file in output.iterdir()] == ["egrm.json"]


async def test_overwriting_removes_the_files_of_a_training_and_nothing_else(
    rollouts: Path, base: Path, tmp_path: Path
) -> None:
    output = started(rollouts, base, complete(rollouts, base, tmp_path / "scorer"))
    (output / "model-00001-of-00002.safetensors").touch()
    (output / "notes.txt").touch()
    assert begin(rollouts, base, output, overwrite=True)
    checkpoints = mark_started(output, {}, overwrite=True)
    assert {file.name for file in output.iterdir()} == {"notes.txt", "checkpoints"}
    assert [file.name for file in checkpoints.iterdir()] == ["training.json"]


async def test_resume_and_overwrite_conflict(rollouts: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="use one of them"):
        begin(rollouts, base, tmp_path / "scorer", resume=True, overwrite=True)


async def test_base_is_never_overwritten(rollouts: Path, base: Path) -> None:
    with pytest.raises(SettingsError, match="is the base model itself; name another folder"):
        begin(rollouts, base, base, overwrite=True)


async def test_checkpoints_of_something_else_are_not_touched(rollouts: Path, base: Path, tmp_path: Path) -> None:
    (tmp_path / "scorer" / "checkpoints" / "checkpoint-7").mkdir(parents=True)
    with pytest.raises(InputError, match="has other files than those of a training"):
        begin(rollouts, base, tmp_path / "scorer", overwrite=True)
    assert (tmp_path / "scorer" / "checkpoints" / "checkpoint-7").is_dir()


@pytest.mark.parametrize("state", [started, complete])
async def test_other_settings_are_named(rollouts: Path, base: Path, tmp_path: Path, state: Any) -> None:
    output = state(rollouts, base, tmp_path / "scorer", learning_rate=0.5, seed=3)
    message = r"settings\.learning_rate was 0\.5 and is 0\.01; settings\.seed was 3 and is 0; use the same"
    with pytest.raises(SettingsError, match=message):
        begin(rollouts, base, output, resume=True)


async def test_other_data_are_named(rollouts: Path, base: Path, tmp_path: Path) -> None:
    output = started(rollouts, base, tmp_path / "scorer")
    rollouts.write_text(rollouts.read_text() + "\n")
    with pytest.raises(
        SettingsError, match=r"other options: data_sha256\.rollouts was [0-9a-f]{64} and is [0-9a-f]{64};"
    ):
        begin(rollouts, base, output, resume=True)


async def test_a_held_out_file_that_is_missing_now_is_named(rollouts: Path, base: Path, tmp_path: Path) -> None:
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


async def test_incomplete_checkpoints_are_skipped_and_removed(tmp_path: Path) -> None:
    state = json.dumps({"global_step": 90, "best_global_step": 80, "best_model_checkpoint": "/elsewhere"})
    checkpoint(tmp_path, 80, state)
    checkpoint(tmp_path, 90, state)
    cut, empty = checkpoint(tmp_path, 100, state[:-9]), checkpoint(tmp_path, 110, state)
    (empty / "trainer_state.json").unlink()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-90"
    assert (cut.exists(), empty.exists()) == (False, False)


async def test_a_moved_checkpoint_finds_the_best_one(tmp_path: Path) -> None:
    checkpoint(tmp_path, 90, json.dumps({"best_global_step": 80, "best_model_checkpoint": "/elsewhere/checkpoint-80"}))
    last = last_checkpoint(tmp_path)
    assert last is not None
    state = json.loads((last / "trainer_state.json").read_text())
    assert state["best_model_checkpoint"] == str(tmp_path / "checkpoint-80")


async def test_without_a_checkpoint_the_last_one_is_none(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "nowhere") is None
