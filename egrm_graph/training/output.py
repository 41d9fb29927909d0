"""The folder that a scorer is trained into: what may be there, how a training goes on, and when it is finished.

While it goes on there is `checkpoints`, with what it was started with in `training.json`. A scorer is finished when it
has its `egrm.json`, which is written last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from hashlib import file_digest
from importlib.metadata import version
from pathlib import Path
from typing import Any

from egrm_graph.errors import InputError, SettingsError
from egrm_graph.scoring.checkpoint import MANIFEST
from egrm_graph.training.training_settings import ScorerTraining

CHECKPOINTS = "checkpoints"
STARTED = "training.json"
STATE = "trainer_state.json"
OURS = (MANIFEST, "*.safetensors", "*.safetensors.index.json", "report.json", "report.html", "report.png")
"""What is removed when a training starts anew; everything else is overwritten."""


def provenance(config: ScorerTraining) -> dict[str, Any]:
    """What a scorer comes from: a training goes on only from a checkpoint with the same.

    The weights of a base that is fetched from a hub are not among it, only its name.

    Raises:
        InputError: a file cannot be read.
    """
    files = {"rollouts": config.rollouts, "held_out": config.held_out}
    base = Path(config.base)
    return {
        "input": config.template,
        "egrm_graph": version("egrm-graph"),
        "base": base.resolve().name if base.is_dir() else config.base,
        "settings": config.told(),
        "data_sha256": {name: _sha256(file) for name, file in files.items() if file},
        "base_sha256": {file.name: _sha256(file) for file in sorted(base.glob("*.safetensors"))},
    }


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error}") from error


def open_output(config: ScorerTraining, origin: Mapping[str, Any], *, resume: bool, overwrite: bool) -> bool:
    """Whether there is something to do in the output folder: False where this very scorer is finished.

    Raises:
        SettingsError: the options do not fit together, or the training was started with others.
        InputError: there is something that would be lost.
    """
    output = config.output
    if resume and overwrite:
        raise SettingsError("--resume keeps what is in --output, and --overwrite does not: give one of them")
    if Path(config.base).is_dir() and output.is_dir() and output.samefile(config.base):
        raise SettingsError(f"--output {output} is the base model itself; name another folder")
    checkpoints, started, finished = output / CHECKPOINTS, output / CHECKPOINTS / STARTED, output / MANIFEST
    if checkpoints.is_dir() and any(checkpoints.iterdir()) and not (started.exists() or finished.exists()):
        raise InputError(f"{checkpoints} holds something that is not of this training; name another folder")
    if overwrite:
        return True
    if resume and finished.exists():
        _refuse_others(output, origin, finished)
        shutil.rmtree(checkpoints, ignore_errors=True)
        return False
    if resume and started.exists():
        _refuse_others(output, origin, started)
    elif started.exists() and not finished.exists():
        raise InputError(
            f"there is an unfinished training in {output}; go on with it by --resume, or start it anew by --overwrite"
        )
    elif finished.exists() or any(output.glob("*.safetensors")):
        raise InputError(f"there is a model in {output} already; train it anew by --overwrite, or name another folder")
    return True


def mark_started(output: Path, origin: Mapping[str, Any], *, overwrite: bool = False) -> Path:
    """Writes down what a training starts with; gives the folder for its checkpoints.

    With `overwrite`, what an earlier training left is removed; not before, so that bad input costs nobody a scorer.
    """
    if overwrite:
        _clear(output)
    checkpoints = output / CHECKPOINTS
    checkpoints.mkdir(parents=True, exist_ok=True)
    write_whole(checkpoints / STARTED, json.dumps(origin, indent=2) + "\n")
    return checkpoints


def _clear(output: Path) -> None:
    if (output / CHECKPOINTS).exists():
        shutil.rmtree(output / CHECKPOINTS)
    for file in (file for pattern in OURS for file in output.glob(pattern)):
        file.unlink()


def _refuse_others(output: Path, origin: Mapping[str, Any], written: Path) -> None:
    try:
        before = json.loads(written.read_bytes())
        then = dict(_flat({name: before.get(name) for name in origin}))
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{written} cannot be read ({error}); start the training anew by --overwrite") from error
    now = dict(_flat(origin))
    differing = [
        f"{name} was {then.get(name)} and is {now.get(name)}" for name in now | then if then.get(name) != now.get(name)
    ]
    if differing:
        raise SettingsError(
            f"the training in {output} was started with something else: {'; '.join(differing)}; "
            "give what it was started with, or start it anew by --overwrite"
        )


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def last_checkpoint(checkpoints: Path) -> Path | None:
    """The latest whole checkpoint; what a kill left half-written after it is removed."""
    found = sorted(
        checkpoints.glob("checkpoint-[0-9]*"), key=lambda folder: int(folder.name.split("-")[1]), reverse=True
    )
    for folder in found:
        try:
            state = json.loads((folder / STATE).read_bytes())  # the trainer writes it last
        except (OSError, ValueError):
            shutil.rmtree(folder)
            continue
        # The folder may have been moved since: where the best weights are follows from where these are.
        state["best_model_checkpoint"] = str(checkpoints / f"checkpoint-{state['best_global_step']}")
        write_whole(folder / STATE, json.dumps(state, indent=2) + "\n")
        return folder
    return None


def write_whole(file: Path, text: str) -> None:
    """Writes a file that is never seen half-written."""
    half = file.with_name(f"{file.name}.part")
    half.write_text(text, "utf-8")
    half.replace(file)
