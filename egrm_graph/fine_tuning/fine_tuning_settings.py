"""The settings that the trainings of language models share, whatever they train for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from egrm_graph.runtime.bundled_models import base_folder
from egrm_graph.settings import Thinking

STEPS = 100
"""Steps of reinforcement, as published."""
SUPERVISED_RATE = 2e-5
REINFORCED_RATE = 1e-6


class FineTuning(BaseModel):
    """The settings of a training of a language model, supervised or with `reinforce`.

    Defaults are those published for Mix-GRM (arXiv:2603.01571), except the batch of the reinforcement, which is an
    eighth of the published one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    reinforced: ClassVar[tuple[str, ...]] = (
        "group_size",
        "temperature",
        "kl",
        "scale_rewards",
        "rollout_tokens",
        "vllm",
        "vllm_url",
    )
    """Settings that only `reinforce` uses. A subclass adds its own."""
    supervised: ClassVar[tuple[str, ...]] = ("epochs", "max_tokens", "held_out")
    """Settings that only a supervised training uses. A subclass adds its own."""
    local: ClassVar[tuple[str, ...]] = ("data", "base", "output", "held_out")
    """Paths on this machine, which no checkpoint records."""

    data: Path
    """File to train on, JSON lines or Parquet. Supervised: rows with a `prompt` and a `completion`, each a text or a
    list of chat messages."""
    base: str
    """Language model to start from, with its tokenizer: a folder, a bundled model such as egrm-tiny, or a name on the
    Hugging Face hub."""
    output: Path
    """Folder for the trained model and its report."""

    reinforce: bool = False
    """Whether to train by reinforcement (GRPO) on what the model writes, not on given texts."""

    learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate, after a warm-up of 5 % of the steps. None is 2e-5 and, with `reinforce`, 1e-6. LoRA and very
    small models need ten to a hundred times as much."""
    epochs: int = Field(default=2, ge=1)
    """Passes over the rows of a supervised training, without `steps`."""
    steps: int | None = Field(default=None, ge=1)
    """Steps of the training. None is `epochs` passes and, with `reinforce`, 100."""
    batch_size: int = Field(default=128, ge=1)
    """Rows in one step. With `reinforce`, rollouts: `group_size` for each prompt."""
    rows_at_once: int = Field(default=8, ge=1)
    """Rows in one pass through the model; their gradients are added up to one step. It must divide `batch_size`."""
    max_tokens: int = Field(default=4096, ge=2)
    """The most tokens of a row, prompt included. Longer rows are left out, and counted."""
    thinking: Thinking = "default"
    """Whether a thinking model thinks before it writes; `default` leaves it to the model's chat template."""
    seed: int = Field(default=0, ge=0)
    """Seed of the order of the rows, and of everything that is sampled."""

    lora_rank: int | None = Field(default=None, ge=1)
    """Rank of the LoRA corrections that a large base learns, while its own weights stay unchanged. They are merged into
    the weights at the end. None trains all weights."""
    lora_alpha: int | None = Field(default=None, ge=1)
    """Scale of the corrections, which is divided by the rank. None is twice the rank."""
    gradient_checkpointing: bool = False
    """Whether to compute activations twice and not store them. It needs less memory and about a fifth more time."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """The precision of the arithmetic; trained weights stay in float32. `auto` is bfloat16 on a GPU that has it, and
    float32 on a CPU."""

    held_out: Path | None = None
    """File with rows to measure the loss on. Without one, a share of the rows is held out."""
    held_out_share: float = Field(default=0.05, ge=0, lt=1)
    """Share of the rows that is held out without a file for them. 0 holds none out."""
    evaluations: int = Field(default=4, ge=1)
    """How many times the held-out figures are measured during the training, evenly spaced; also before it."""

    group_size: int = Field(default=8, ge=2)
    """Rollouts for one prompt. They are compared with one another."""
    temperature: float = Field(default=0.8, gt=0, le=2)
    """Sampling temperature of the rollouts."""
    rollout_tokens: int = Field(default=2048, ge=1)
    """The most tokens of a rollout."""
    kl: float = Field(default=0.001, ge=0)
    """Coefficient of the KL divergence from the base, which is loaded a second time unless LoRA is used. 0 is without
    it."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """What the advantages are divided by: the standard deviation of the rewards in a group, as in GRPO, or in the
    batch; `none` does not scale them."""
    vllm: Literal["none", "colocate", "server"] = "none"
    """What draws the rollouts: this process with transformers, vLLM on the same GPU, or a server that `trl vllm-serve`
    starts. TRL needs a GPU for vLLM, and supports certain versions of it."""
    vllm_url: str | None = None
    """URL of the server, with `vllm=server`."""

    @field_validator("base")
    @classmethod
    def _base_is_found(cls, base: str) -> str:
        return base_folder(base)

    @model_validator(mode="after")
    def _settings_are_used(self) -> Self:
        unused = self.supervised if self.reinforce else self.reinforced
        other = "without" if self.reinforce else "with"
        for name in unused:
            if name in self.model_fields_set:
                raise ValueError(f"{name} only has an effect {other} reinforce; leave it out, or change reinforce")
        if self.lora_alpha is not None and self.lora_rank is None:
            raise ValueError(
                f"lora_alpha={self.lora_alpha} has no effect without lora_rank; set lora_rank, or leave both out"
            )
        if (self.vllm == "server") != (self.vllm_url is not None):
            raise ValueError("vllm_url goes with vllm=server; set both, or neither")
        if "epochs" in self.model_fields_set and self.steps is not None:
            raise ValueError(f"epochs={self.epochs} has no effect with steps={self.steps}; leave one of them out")
        return self

    @model_validator(mode="after")
    def _batches_divide(self) -> Self:
        if self.batch_size % min(self.rows_at_once, self.batch_size):
            raise ValueError(
                f"rows_at_once={self.rows_at_once} does not divide batch_size={self.batch_size}; choose a divisor"
            )
        if self.reinforce and self.batch_size % self.group_size:
            raise ValueError(
                f"batch_size={self.batch_size} is not a multiple of group_size={self.group_size}, and groups are not "
                "split; change one of them"
            )
        return self

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        if self.learning_rate is not None:
            return self.learning_rate
        return REINFORCED_RATE if self.reinforce else SUPERVISED_RATE

    @property
    def pass_rows(self) -> int:
        """Rows in one pass through the model."""
        return min(self.rows_at_once, self.batch_size)

    @property
    def template_options(self) -> dict[str, bool]:
        """Options of the chat template. Some templates read the first name, some the second."""
        if self.thinking == "default":
            return {}
        return {"enable_thinking": self.thinking == "on", "thinking": self.thinking == "on"}

    def n_steps(self, n_rows: int) -> int:
        """The steps of the training, with this many rows to train on."""
        if self.steps is not None:
            return self.steps
        return STEPS if self.reinforce else max(1, -(-n_rows // self.batch_size) * self.epochs)

    @property
    def files(self) -> dict[str, Path]:
        """The files that the trained model depends on, by the name of their setting."""
        files = {"data": self.data, "held_out": self.held_out}
        return {name: file for name, file in files.items() if file is not None}

    def recorded(self) -> dict[str, Any]:
        """The settings in a checkpoint: those that have an effect, without local paths."""
        unused = self.supervised if self.reinforce else self.reinforced
        values = self.model_dump(mode="json", exclude={*self.local, *unused})
        return {**values, "learning_rate": self.rate}
