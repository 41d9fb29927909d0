"""TRL's trainers, with every default that matters chosen here.

Supervised: no packing, and a loss on the completions alone (`token_rows`). Reinforced: GRPO (Shao et al. 2024,
arXiv:2402.03300) with a loss that is a mean over the tokens of a step, so that long texts do not weigh less, as in DAPO
(Yu et al. 2025, arXiv:2503.14476); one update for each set of rollouts; rollouts that were cut count, with whatever
reward they have; no dropout.

A training depends only on the settings and the data, so one that was killed and resumed ends with the same weights on
a CPU. The order of the prompts of a reinforcement is laid out before it begins, because TRL's own sampler starts over
when a training resumes in a later pass over the data.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from egrm_graph.fine_tuning.fine_tuning_settings import FineTuning
from egrm_graph.fine_tuning.language_model import LanguageModel, lora
from egrm_graph.fine_tuning.token_rows import IGNORED, TokenRow
from egrm_graph.training.trainer import checkpointing_arguments, on_gpu

if TYPE_CHECKING:
    from transformers import PreTrainedModel, Trainer, TrainerCallback

Rewarder = Callable[..., list[float | None]]
"""A reward function as TRL calls it: with prompts, completions, their token ids, and the other columns of the rows."""


def supervised_trainer(
    config: FineTuning,
    base: LanguageModel,
    train: Sequence[TokenRow],
    held_out: Sequence[TokenRow],
    *,
    checkpoints: Path,
    callbacks: Sequence[TrainerCallback] = (),
) -> Trainer:
    """A trainer that is ready to `train`. Without held-out rows, it measures no loss on them."""
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    steps = config.n_steps(len(train))
    measured: dict[str, Any] = {}
    if held_out:
        measured = {"eval_strategy": "steps", "eval_steps": interval(config, steps)}
    arguments = SFTConfig(
        **_arguments(config, steps, checkpoints),
        **measured,
        per_device_eval_batch_size=config.pass_rows,
        prediction_loss_only=True,
        lr_scheduler_type="cosine",
        packing=False,
        completion_only_loss=True,
        max_length=None,  # rows that are too long were left out
    )
    trainer: Trainer = SFTTrainer(
        model=base.model,
        args=arguments,
        train_dataset=Dataset.from_list(_columns(train)),
        eval_dataset=Dataset.from_list(_columns(held_out)) if held_out else None,
        processing_class=base.tokenizer,
        callbacks=list(callbacks),
        peft_config=lora(config.lora_rank, config.lora_alpha) if config.lora_rank else None,
    )
    return _quiet(trainer)


def reinforced_trainer(
    config: FineTuning,
    base: LanguageModel,
    prompts: Sequence[Mapping[str, Any]],
    rewards: Rewarder | Sequence[Rewarder],
    *,
    checkpoints: Path,
    callbacks: Sequence[TrainerCallback] = (),
) -> Trainer:
    """A trainer that is ready to `train`. `prompts` has rows with a `prompt`, a text or a list of chat messages. Reward
    functions get their other fields."""
    from datasets import Dataset
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    _disable_attention_dropout(base.model)
    steps = config.n_steps(len(prompts))
    order = prompt_order(len(prompts), steps * config.batch_size // config.group_size, config.seed)
    drawn_by: dict[str, Any] = {}
    if config.vllm != "none":
        drawn_by = {"use_vllm": True, "vllm_mode": config.vllm, "vllm_server_base_url": config.vllm_url}
    arguments = GRPOConfig(
        **_arguments(config, steps, checkpoints),
        **drawn_by,
        lr_scheduler_type="constant_with_warmup",
        num_generations=config.group_size,
        max_completion_length=config.rollout_tokens,
        temperature=config.temperature,
        shuffle_dataset=False,
        beta=config.kl,
        loss_type="dapo",
        scale_rewards=config.scale_rewards,
        num_iterations=1,
        mask_truncated_completions=False,
        disable_dropout=True,
        chat_template_kwargs=config.template_options,
    )
    trainer: Trainer = GRPOTrainer(
        model=base.model,
        args=arguments,
        reward_funcs=rewards if callable(rewards) else list(rewards),
        train_dataset=Dataset.from_list([dict(prompts[i]) for i in order]),
        processing_class=base.tokenizer,
        callbacks=list(callbacks),
        peft_config=lora(config.lora_rank, config.lora_alpha) if config.lora_rank else None,
    )
    return _quiet(trainer)


def interval(config: FineTuning, steps: int) -> int:
    """The steps between two checkpoints, and between two measurements."""
    return max(1, steps // config.evaluations)


def prompt_order(n_prompts: int, n: int, seed: int) -> list[int]:
    """Which prompt is used when: `n` places, in passes over all prompts, each in an order of its own."""
    shuffling, order = random.Random(seed), list[int]()
    while len(order) < n:
        places = list(range(n_prompts))
        shuffling.shuffle(places)
        order += places
    return order[:n]


def _arguments(config: FineTuning, steps: int, checkpoints: Path) -> dict[str, Any]:
    """The arguments that both trainers have."""
    import torch

    every = interval(config, steps)
    on_device = on_gpu()
    return {
        "output_dir": str(checkpoints),
        "max_steps": steps,
        "per_device_train_batch_size": config.pass_rows,
        "gradient_accumulation_steps": config.batch_size // config.pass_rows,
        "learning_rate": config.rate,
        "warmup_steps": 0.05,
        "weight_decay": 0.0,
        "max_grad_norm": 1.0,
        # A log entry covers steps up to a checkpoint, so a resumed training logs the same.
        "logging_steps": every // next(n for n in (5, 4, 3, 2, 1) if every % n == 0),
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        "save_steps": every,
        "save_total_limit": 1,
        "dataloader_pin_memory": on_device,
        "use_cpu": not on_device,
        "bf16": config.precision == "bfloat16"
        or (config.precision == "auto" and on_device and torch.cuda.is_bf16_supported()),
        **checkpointing_arguments(on=config.gradient_checkpointing),
        "seed": config.seed,
        "report_to": [],
        "disable_tqdm": True,
    }


def _columns(rows: Sequence[TokenRow]) -> list[dict[str, list[int]]]:
    """The rows with a mask of the completion, which earlier versions of TRL read instead of the labels."""
    return [{**row, "completion_mask": [int(label != IGNORED) for label in row["labels"]]} for row in rows]


def _disable_attention_dropout(model: PreTrainedModel) -> None:
    """Disable the dropout that is not a module, which TRL does not find."""
    for module in model.modules():
        if hasattr(module, "attention_dropout"):
            cast("Any", module).attention_dropout = 0.0


def _quiet(trainer: Trainer) -> Trainer:
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    return trainer
