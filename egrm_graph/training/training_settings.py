"""The settings of the trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from egrm_graph.runtime.bundled_models import base_folder
from egrm_graph.scoring.checkpoint import Manifest, read_manifest
from egrm_graph.scoring.objective import Objective
from egrm_graph.steps.cutting import step_cutter
from egrm_graph.training.step_targets import StepLabels

UNUSED = {
    "hybrid": (),
    "regression": ("alpha", "margin"),
    "hinge": ("alpha", "delta"),
    "bradley_terry": ("alpha", "delta", "margin"),
}
"""The weights that an objective does not use."""
PATH_FIELDS = ("rollouts", "base", "output", "held_out")


class Training(BaseModel):
    """The settings that all trainings have. They decide which scorer one produces."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rollouts: Path
    """File to train on, JSON lines or Parquet: rollouts, with one question and its marked paths per row, preference
    pairs, or graded responses. A process scorer needs paths with labeled steps."""
    base: str
    """Model to start from, with its tokenizer: a folder, a bundled model such as egrm-tiny, or a name on the Hugging
    Face hub, such as answerdotai/ModernBERT-base. It may be a decoder or an encoder, a language model or a classifier.
    For a process scorer, an encoder costs more: it reads a text for each step."""
    output: Path
    """Folder for the scorer and its report."""
    input: str | None = None
    """Template of the text that is scored, with {question} and {path} once each. None uses the template of the base if
    that is a scorer, or the question, an empty line, and the path."""

    epochs: int = Field(default=4, ge=1)
    """Passes over the training questions."""
    learning_rate: float = Field(default=3e-4, gt=0)
    """Peak learning rate, after a warm-up and before a cosine decay. Large models need far less, such as 1e-5."""
    batch_questions: int = Field(default=32, ge=1)
    """Questions in one batch, at most."""
    max_batch_tokens: int = Field(default=16384, ge=1)
    """Tokens in one batch, at most, including padding. A larger question is a batch on its own; for a process scorer,
    it is split into several."""
    patience: int | None = Field(default=None, ge=1)
    """Stop early after this many evaluations in a row without a better choice. None trains to the end."""
    seed: int = Field(default=0, ge=0)
    """Seed of the weights of a new head, and of the order of the batches."""

    lora_rank: int | None = Field(default=None, ge=1)
    """Rank of the LoRA corrections that a large base learns, while its own weights stay unchanged. None trains all
    weights."""
    lora_alpha: int | None = Field(default=None, ge=1)
    """Scale of the corrections, which is divided by the rank. None is twice the rank."""
    gradient_checkpointing: bool = False
    """Whether to compute activations twice and not store them. It needs less memory and about a fifth more time."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """The precision of the arithmetic; trained weights stay in float32. `auto` is bfloat16 on a GPU that has it, and
    float32 on a CPU. A CPU with AVX512_BF16 is about twice as fast in bfloat16; others are slower."""

    held_out: Path | None = None
    """File to measure on, in the same forms. Without one, a share of the training questions is held out."""
    held_out_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of the questions that is held out without a file for it."""
    evaluations: int = Field(default=8, ge=1)
    """How many times the held-out figures are measured, evenly spaced over the training."""
    best_of: int = Field(default=4, ge=1)
    """Paths that the held-out figures choose among. The graph draws four."""
    calibration: Literal["temperature", "none"] = "temperature"
    """Whether to turn the scores into probabilities at the end. A temperature is fitted on the held-out questions and
    written into the weights."""

    @field_validator("base")
    @classmethod
    def _base_is_found(cls, base: str) -> str:
        return base_folder(base)

    @field_validator("input")
    @classmethod
    def _template(cls, template: str | None) -> str | None:
        return None if template is None else Manifest(input=template).input

    @model_validator(mode="after")
    def _lora_is_used(self) -> Self:
        if self.lora_alpha is not None and self.lora_rank is None:
            raise ValueError(
                f"lora_alpha={self.lora_alpha} has no effect without lora_rank; set lora_rank, or leave both out"
            )
        return self

    @property
    def template(self) -> str:
        """The template that the scorer is trained with.

        Raises:
            ModelError: the template of the base cannot be read.
        """
        return read_manifest(Path(self.base)).input if self.input is None else self.input

    def recorded(self) -> dict[str, Any]:
        """The settings in a checkpoint: all except local paths."""
        return self.model_dump(mode="json", exclude={*PATH_FIELDS, "input"})


class ProcessTraining(Training):
    """All settings of the training of a process scorer, which scores each step of a path."""

    labels: StepLabels = "value"
    """The label of a step that is learned: `value`, the probability that a path with this beginning ends right;
    `share`, the share of its continuations that end right, whatever their probability, as published; or `any`, whether
    one of them ends right. The held-out figures are always about `value`."""
    merge_steps: float = Field(default=0.0, ge=0, lt=1)
    """Share of the steps that are merged with the step that follows, as in HRM. An error that the next step corrects
    costs less."""
    best_by: Literal["first_error_f1", "loss"] = "first_error_f1"
    """Which held-out figure chooses the best weights. For labels that are probabilities, such as those of rollouts,
    `loss` is the steadier one."""
    step_end: str | None = None
    """Where steps end when the scorer is used: `lines`, `sentences`, or a regular expression that matches the end of a
    step. None takes it from the data, if its steps end where lines or paragraphs do."""
    aggregation: Literal["product", "minimum", "mean", "last", "merged"] | None = None
    """How the scores of its steps become the score of a path. None takes the best one on the held-out paths with
    answers, or `product` without such paths."""

    @field_validator("step_end")
    @classmethod
    def _cuts(cls, step_end: str | None) -> str | None:
        if step_end is not None:
            step_cutter(step_end)
        return step_end


class ScorerTraining(Training):
    """All settings of the training of a scorer of full paths."""

    objective: Literal["hybrid", "regression", "hinge", "bradley_terry"] = "hybrid"
    """The loss to minimize: the published hybrid of regression and ranking, regression alone, or ranking alone, with a
    hinge loss or with the Bradley-Terry loss."""
    alpha: float = Field(default=0.3, ge=0, le=1)
    """Weight of the ranking in the hybrid. The rest is regression. The published setting is 0.3, or 0.7 if the
    published weight is that of the regression, on which descriptions disagree."""
    delta: float = Field(default=1.0, gt=0)
    """Where the Huber loss turns from quadratic to linear. The published setting is 1.0."""
    margin: float = Field(default=0.1, ge=0, le=1)
    """The difference that the hinge loss requires between the scores of a better and a worse path. The published
    setting is 0.1."""

    @model_validator(mode="after")
    def _weights_are_used(self) -> Self:
        for name in UNUSED[self.objective]:
            if name in self.model_fields_set:
                raise ValueError(
                    f"{name}={getattr(self, name)} has no effect with objective={self.objective}; leave it out"
                    + (", or use objective=hybrid" if name == "alpha" else "")
                )
        return self

    @property
    def weights(self) -> Objective:
        """The objective as weights. Every name is a special case of one objective."""
        alpha = {"hybrid": self.alpha, "regression": 0.0}.get(self.objective, 1.0)
        ranking: Literal["hinge", "bradley_terry"] = "bradley_terry" if self.objective == "bradley_terry" else "hinge"
        return Objective(alpha, self.delta, self.margin, ranking)

    def recorded(self) -> dict[str, Any]:
        """The settings in a checkpoint: all except local paths, and weights without an effect."""
        return {name: value for name, value in super().recorded().items() if name not in UNUSED[self.objective]}
