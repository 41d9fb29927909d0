"""A scorer's folder: what it has to hold, and what is refused.

It is what transformers saves of a sequence classifier with one label and of its tokenizer, and beside them an
`egrm.json` with the template of the text that is scored; a public reward model has none, and is read by its chat
template. Weights are read from safetensors only, and no code of a checkpoint is run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from egrm_graph.errors import ModelError
from egrm_graph.scoring.score_calibration import Calibration
from egrm_graph.settings import explain

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DEFAULT_INPUT = "{question}\n\n{path}"
MANIFEST = "egrm.json"


class Manifest(BaseModel):
    """The `egrm.json` of a scorer. Only `input` is needed to use one; training adds where it comes from."""

    model_config = ConfigDict(frozen=True, extra="allow", use_attribute_docstrings=True)

    input: str = DEFAULT_INPUT
    """The text that is scored, with `{question}` and `{path}` once each."""
    calibration: Calibration | None = None
    """How its scores were made probabilities; None where they were not."""

    @field_validator("input")
    @classmethod
    def _has_both(cls, template: str) -> str:
        for name in ("{question}", "{path}"):
            if template.count(name) != 1:
                raise ValueError(f"the template needs {name} exactly once, beside its fixed text")
        return template


def read_manifest(folder: Path) -> Manifest:
    """The folder's `egrm.json`, or the defaults where it has none."""
    file = folder / MANIFEST
    try:
        return Manifest.model_validate_json(file.read_bytes()) if file.exists() else Manifest()
    except ValidationError as error:
        raise ModelError(f"{file} cannot be used: {explain(error)}") from error


def refuse_unsafe(folder: Path) -> None:
    """Checks a folder before anything in it is opened.

    Raises:
        ModelError: it is no scorer's, or it can only be loaded by running what is in it.
    """
    check_config(folder)
    if not any(folder.glob("*.safetensors")):
        pickled = next(folder.glob("pytorch_model*.bin"), None)
        found = f"only pickled weights ({pickled.name}), which can run code" if pickled else "no weights"
        raise ModelError(f"the scorer in {folder} has {found}; save it with `model.save_pretrained` as safetensors")


def check_config(folder: Path) -> None:
    """Checks what can be told of a scorer without its weights.

    Raises:
        ModelError: it is not there, needs code of its own, or has more than one label.
    """
    if not folder.is_dir():
        raise ModelError(f"there is no scorer in {folder}: the folder does not exist; `egrm train scorer` makes one")
    config = read_json(folder / "config.json")
    for file in ("config.json", "tokenizer_config.json"):
        if "auto_map" in (read_json(folder / file) if (folder / file).exists() else {}):
            raise ModelError(
                f"the scorer in {folder} needs code of its own to be run (`auto_map` in {file}), which is never done; "
                "use an architecture that transformers has"
            )
    labels = config.get("num_labels", len(config.get("id2label") or ("LABEL_0", "LABEL_1")))
    if labels != 1:
        raise ModelError(
            f"the model in {folder} has {labels} labels and a scorer has 1; train one from it with "
            f"`egrm train scorer`, or give a classifier with num_labels=1"
        )


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file of a checkpoint.

    Raises:
        ModelError: it cannot be read, or is none.
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
        ModelError: there is none, or it cannot be read.
    """
    from transformers import AutoTokenizer

    saved = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model")
    if not any((folder / file).exists() for file in saved):  # transformers would make up an empty one
        raise ModelError(f"the model in {folder} has no tokenizer; save it there with `tokenizer.save_pretrained`")
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # transformers raises whatever the file's reader does
        raise ModelError(f"the tokenizer in {folder} cannot be loaded: {error}; save it there anew") from error
    return tokenizer
