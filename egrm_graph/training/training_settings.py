"""Everything that decides which scorer a training gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from egrm_graph.scoring.checkpoint import Manifest, read_manifest
from egrm_graph.scoring.objective import Objective

UNUSED = {
    "hybrid": (),
    "regression": ("alpha", "margin"),
    "hinge": ("alpha", "delta"),
    "bradley_terry": ("alpha", "delta", "margin"),
}
"""The weights that an objective has no use for."""
PLACES = ("rollouts", "base", "output", "held_out")


class ScorerTraining(BaseModel):
    """Everything that decides which scorer comes out."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rollouts: Path
    """File of rollouts to train on: JSON lines, one question with its marked paths a line."""
    base: str
    """Model to start from, with its tokenizer: a folder, or a name on the Hugging Face hub, such as
    answerdotai/ModernBERT-base. A decoder or an encoder, a language model or a classifier."""
    output: Path
    """Folder that the scorer and its report are written to."""
    input: str | None = None
    """Template of the text that is scored, with {question} and {path} once each; None takes the base's own, where that
    is a scorer, and else the question, an empty line, and the path."""

    objective: Literal["hybrid", "regression", "hinge", "bradley_terry"] = "hybrid"
    """What is minimised: the published hybrid of regression and ranking, the regression alone, or the ranking alone,
    with the hinge or as Bradley and Terry have it."""
    alpha: float = Field(default=0.3, ge=0, le=1)
    """Weight of the ranking in the hybrid; the rest is regression. The published setting is 0.3."""
    delta: float = Field(default=1.0, gt=0)
    """Where the Huber loss turns from square to straight. The published setting is 1.0."""
    margin: float = Field(default=0.1, ge=0, le=1)
    """How far apart the hinge wants a better and a worse path's scores. The published setting is 0.1."""

    epochs: int = Field(default=4, ge=1)
    """Passes over the training questions."""
    learning_rate: float = Field(default=3e-4, gt=0)
    """Peak learning rate, warmed up and then lowered along a cosine; large models need far less, such as 1e-5."""
    batch_questions: int = Field(default=32, ge=1)
    """Questions in one batch, at most."""
    max_batch_tokens: int = Field(default=16384, ge=1)
    """Tokens in one batch, at most, padding included; a single question that is larger is a batch of its own."""
    patience: int | None = Field(default=None, ge=1)
    """Evaluations in a row without a better choice after which the training ends early; None trains to the end."""
    seed: int = Field(default=0, ge=0)
    """Decides the new head's weights and the order of the batches."""

    lora_rank: int | None = Field(default=None, ge=1)
    """Rank of the corrections that a large base learns by LoRA, its own weights staying as they are; None trains all
    weights."""
    lora_alpha: int | None = Field(default=None, ge=1)
    """Scale of the corrections, over the rank; None is twice the rank."""
    gradient_checkpointing: bool = False
    """Whether activations are computed twice rather than kept: less memory, and about a fifth more time."""

    held_out: Path | None = None
    """File of rollouts to measure on; without one, a share of the training file's questions is held out."""
    held_out_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of the questions that is held out where no file for it is given."""
    evaluations: int = Field(default=8, ge=1)
    """How often the held-out figures are measured, evenly over the training."""
    best_of: int = Field(default=4, ge=1)
    """Paths that the held-out figures choose among; the graph draws four."""
    calibration: Literal["temperature", "none"] = "temperature"
    """Whether the scores are made probabilities in the end, by a temperature that is fitted on the held-out questions
    and written into the weights."""

    @field_validator("input")
    @classmethod
    def _template(cls, template: str | None) -> str | None:
        return None if template is None else Manifest(input=template).input

    @model_validator(mode="after")
    def _weights_are_used(self) -> Self:
        for name in UNUSED[self.objective]:
            if name in self.model_fields_set:
                raise ValueError(
                    f"{name}={getattr(self, name)} has no effect with objective={self.objective}; leave it out"
                    + (", or take the hybrid, which weighs the two" if name == "alpha" else "")
                )
        return self

    @model_validator(mode="after")
    def _lora_is_used(self) -> Self:
        if self.lora_alpha is not None and self.lora_rank is None:
            raise ValueError(
                f"lora_alpha={self.lora_alpha} has no effect without lora_rank; give it, or leave both out"
            )
        return self

    @property
    def template(self) -> str:
        """The template that the scorer is trained with.

        Raises:
            ModelError: it is the base's, and cannot be read.
        """
        return read_manifest(Path(self.base)).input if self.input is None else self.input

    @property
    def weights(self) -> Objective:
        """The objective as weights: each name is a setting of one and the same."""
        alpha = {"hybrid": self.alpha, "regression": 0.0}.get(self.objective, 1.0)
        ranking: Literal["hinge", "bradley_terry"] = "bradley_terry" if self.objective == "bradley_terry" else "hinge"
        return Objective(alpha, self.delta, self.margin, ranking)

    def told(self) -> dict[str, Any]:
        """What a checkpoint tells of these: all but places on this machine, and weights that had no effect."""
        return self.model_dump(mode="json", exclude={*PLACES, "input", *UNUSED[self.objective]})
