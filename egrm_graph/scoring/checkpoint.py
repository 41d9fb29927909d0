"""A scorer's folder: what it must contain, and what is refused.

It contains a sequence classifier with one label and its tokenizer, as transformers saves them, and an `egrm.json` with
the template of the text to score. A public reward model has no `egrm.json`; its chat template is used instead. Weights
are read only from safetensors, and no code of a checkpoint is run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from egrm_graph.errors import ModelError
from egrm_graph.scoring.aggregate_calibration import AggregateCalibration
from egrm_graph.scoring.score_calibration import Calibration
from egrm_graph.settings import explain
from egrm_graph.steps.aggregation import AGGREGATIONS
from egrm_graph.steps.cutting import step_cutter

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DEFAULT_INPUT = "{question}\n\n{path}"
MANIFEST = "egrm.json"
TWO_TO_ONE = (
    ". If label 1 means right, such a classifier has the difference of the two rows of its head: the sigmoid of its "
    "logit is the softmax probability of label 1"
)


class Manifest(BaseModel):
    """The `egrm.json` of a scorer. Only `input` is needed to use it; training adds where it comes from."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    input: str = DEFAULT_INPUT
    """The template of the text to score, with `{question}` and `{path}` once each."""
    calibration: Calibration | None = None
    """How its scores were calibrated; None if they were not."""

    steps: str | None = None
    """Where the steps end that it was trained to score: `lines`, `sentences`, or a regular expression; None if it was
    trained on full paths."""
    aggregation: str | None = None
    """How the scores of its steps become the score of a path."""
    path_calibration: AggregateCalibration | None = None
    """How what the scores of steps add up to becomes a probability; None if that was not calibrated."""

    @field_validator("steps")
    @classmethod
    def _cuts(cls, steps: str | None) -> str | None:
        if steps is not None:
            step_cutter(steps)
        return steps

    @field_validator("aggregation")
    @classmethod
    def _is_known(cls, aggregation: str | None) -> str | None:
        if aggregation is not None and aggregation not in AGGREGATIONS:
            raise ValueError(f"the aggregations are {', '.join(AGGREGATIONS)}")
        return aggregation

    @field_validator("input")
    @classmethod
    def _has_both(cls, template: str) -> str:
        for name in ("{question}", "{path}"):
            if template.count(name) != 1:
                raise ValueError(f"the template needs {name} exactly once, next to its fixed text")
        return template


def read_manifest(folder: Path) -> Manifest:
    """The folder's `egrm.json`, or the defaults if it has none."""
    file = folder / MANIFEST
    try:
        return Manifest.model_validate_json(file.read_bytes()) if file.exists() else Manifest()
    except ValidationError as error:
        raise ModelError(f"{file} cannot be used: {explain(error)}") from error


def refuse_unsafe(folder: Path) -> None:
    """Checks a folder before anything in it is loaded.

    Raises:
        ModelError: it does not contain a scorer, or loading it would run code from it.
    """
    check_config(folder)
    if not any(folder.glob("*.safetensors")):
        pickled = next(folder.glob("pytorch_model*.bin"), None)
        found = f"only pickled weights ({pickled.name}), which can run code" if pickled else "no weights"
        raise ModelError(f"the scorer in {folder} has {found}; save it with `model.save_pretrained` as safetensors")


def check_config(folder: Path) -> dict[str, Any]:
    """The `config.json` of a scorer, which is checked without its weights.

    Raises:
        ModelError: it does not exist, needs code of its own, or has more than one label.
    """
    if not folder.is_dir():
        raise ModelError(f"the scorer's folder {folder} does not exist; `egrm train scorer` creates one")
    config = read_json(folder / "config.json")
    for file in ("config.json", "tokenizer_config.json"):
        if "auto_map" in (read_json(folder / file) if (folder / file).exists() else {}):
            raise ModelError(
                f"the scorer in {folder} needs code of its own (`auto_map` in {file}), which is never run; "
                "use an architecture that transformers has"
            )
    labels = config.get("num_labels", len(config.get("id2label") or ("LABEL_0", "LABEL_1")))
    if labels != 1:
        raise ModelError(
            f"the model in {folder} has {labels} labels, but a scorer has 1; train one from it with "
            f"`egrm train scorer`, or use a classifier with num_labels=1{TWO_TO_ONE if labels == 2 else ''}"
        )
    return config


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file of a checkpoint.

    Raises:
        ModelError: it cannot be read, or is not an object.
    """
    try:
        read = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} cannot be read ({error}); give a folder that transformers has saved") from error
    if not isinstance(read, dict):
        raise ModelError(f"{file} is not a JSON object; give a folder that transformers has saved")
    return read


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a local folder.

    Raises:
        ModelError: it is missing, or cannot be read.
    """
    from transformers import AutoTokenizer

    saved = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model")
    if not any((folder / file).exists() for file in saved):  # transformers would create an empty one
        raise ModelError(f"the model in {folder} has no tokenizer; save it there with `tokenizer.save_pretrained`")
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # transformers passes on whatever the file reader raises
        raise ModelError(f"the tokenizer in {folder} cannot be loaded: {error}; save it there again") from error
    return tokenizer
