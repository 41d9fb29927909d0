"""The output folder of a training: what it may contain, how a training resumes, and when it is complete.

During the training it has `checkpoints`, with the origin of the training in `training.json`. A scorer, or another
model, is complete when it has its `egrm.json`, which is written last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

from egrm_graph.errors import InputError, SettingsError
from egrm_graph.scoring.checkpoint import MANIFEST
from egrm_graph.training.training_settings import Training

CHECKPOINTS = "checkpoints"
STARTED = "training.json"
STATE = "trainer_state.json"
WRITTEN = (MANIFEST, "*.safetensors", "*.safetensors.index.json", "report.json", "report.html", "report.png")
"""Files that are removed when a training starts over. All others are overwritten."""


class WritesModel(Protocol):
    """The settings of a training that the output folder depends on."""

    @property
    def base(self) -> str: ...
    @property
    def output(self) -> Path: ...


def provenance(config: Training) -> dict[str, Any]:
    """The origin of a scorer. A training resumes only from a checkpoint with the same origin.

    For a base from the hub, it has the name, but not the weights.

    Raises:
        InputError: a file cannot be read.
    """
    files = {"rollouts": config.rollouts, "held_out": config.held_out}
    return {
        "input": config.template,
        "egrm_graph": version("egrm-graph"),
        "base": base_name(config.base),
        "settings": config.recorded(),
        "data_sha256": {name: file_sha256(file) for name, file in files.items() if file},
        "base_sha256": base_sha256(config.base),
    }


def base_name(base: str) -> str:
    """What a model is called that is in a folder or on the hub."""
    return Path(base).resolve().name if Path(base).is_dir() else base


def base_sha256(base: str) -> dict[str, str]:
    """The hash of each file with weights. Empty for a model on the hub."""
    return {file.name: file_sha256(file) for file in sorted(Path(base).glob("*.safetensors"))}


def file_sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error}") from error


def open_output(config: WritesModel, origin: Mapping[str, Any], *, resume: bool, overwrite: bool) -> bool:
    """Whether the output folder needs a training. False if this model is complete.

    Raises:
        SettingsError: the options conflict, or the training was started with others.
        InputError: the folder has something that would be lost.
    """
    output = config.output
    if resume and overwrite:
        raise SettingsError("--resume and --overwrite conflict; use one of them")
    if Path(config.base).is_dir() and output.is_dir() and output.samefile(config.base):
        raise SettingsError(f"--output {output} is the base model itself; name another folder")
    checkpoints, started, complete = output / CHECKPOINTS, output / CHECKPOINTS / STARTED, output / MANIFEST
    if checkpoints.is_dir() and any(checkpoints.iterdir()) and not (started.exists() or complete.exists()):
        raise InputError(f"{checkpoints} has other files than those of a training; name another folder")
    if overwrite:
        return True
    if resume and complete.exists():
        _refuse_others(output, origin, complete)
        shutil.rmtree(checkpoints, ignore_errors=True)
        return False
    if resume and started.exists():
        _refuse_others(output, origin, started)
    elif started.exists() and not complete.exists():
        raise InputError(
            f"{output} has an unfinished training; continue it with --resume, or start over with --overwrite"
        )
    elif complete.exists() or any(output.glob("*.safetensors")):
        raise InputError(f"{output} has a model already; name another folder, or replace it with --overwrite")
    return True


def mark_started(output: Path, origin: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Record the origin of a training, and return the folder for its checkpoints.

    With `overwrite`, this removes the files of an earlier training. It does not happen earlier, so bad input cannot
    cost anyone a scorer.
    """
    if overwrite:
        _clear(output)
    checkpoints = output / CHECKPOINTS
    checkpoints.mkdir(parents=True, exist_ok=True)
    write_atomically(checkpoints / STARTED, json.dumps(origin, indent=2) + "\n")
    return checkpoints


def _clear(output: Path) -> None:
    if (output / CHECKPOINTS).exists():
        shutil.rmtree(output / CHECKPOINTS)
    for file in (file for pattern in WRITTEN for file in output.glob(pattern)):
        file.unlink()


def _refuse_others(output: Path, origin: Mapping[str, Any], record: Path) -> None:
    try:
        before = json.loads(record.read_bytes())
        then = dict(_flat({name: before.get(name) for name in origin}))
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{record} cannot be read ({error}); start the training over with --overwrite") from error
    now = dict(_flat(origin))
    differing = [
        f"{name} was {then.get(name)} and is {now.get(name)}" for name in now | then if then.get(name) != now.get(name)
    ]
    if differing:
        raise SettingsError(
            f"the training in {output} was started with other options: {'; '.join(differing)}; "
            "use the same, or start over with --overwrite"
        )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def last_checkpoint(checkpoints: Path) -> Path | None:
    """The latest complete checkpoint. Removes incomplete ones, which a killed training leaves."""
    folders = sorted(
        checkpoints.glob("checkpoint-[0-9]*"), key=lambda folder: int(folder.name.split("-")[1]), reverse=True
    )
    for folder in folders:
        try:
            state = json.loads((folder / STATE).read_bytes())  # the trainer writes it last
        except (OSError, ValueError):
            shutil.rmtree(folder)
            continue
        # The folder may have been moved, so the path of the best weights is relative to this one.
        state["best_model_checkpoint"] = str(checkpoints / f"checkpoint-{state['best_global_step']}")
        write_atomically(folder / STATE, json.dumps(state, indent=2) + "\n")
        return folder
    return None


def write_atomically(file: Path, text: str) -> None:
    """Write a file in one step, so nothing can read it half-written."""
    partial = file.with_name(f"{file.name}.part")
    partial.write_text(text, "utf-8")
    partial.replace(file)
