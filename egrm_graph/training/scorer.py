"""Train a discriminative scorer on a file of rollouts, with the hybrid regression-ranking objective.

A language model's weights are taken over and its head replaced by one number, read at the last token. Each batch
holds whole questions with all of their paths, because pairs are formed within a question; a question whose paths are
all right, or all wrong, has no pair and still feeds the regression. The best weights by held-out choice are kept.

Source: E-GRM, arXiv:2604.10072.
Differs: the target is 1 for a path whose answer is right and 0 else; the checkpoint is chosen by the accuracy of the
top-scored path among sets of `best_of`, then by the share of pairs in order.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from egrm_graph.errors import InputError, ModelError, SetupError
from egrm_graph.scoring.checkpoint import DEFAULT_INPUT, MANIFEST, Manifest, load_tokenizer
from egrm_graph.scoring.loading import context_tokens
from egrm_graph.scoring.objective import hybrid_loss
from egrm_graph.training.batches import Example, Preparation, collator, group
from egrm_graph.training.reading import read_rollouts
from egrm_graph.training.report import Figures, measure, write_report
from egrm_graph.training.rollouts import Rollout, split

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer


class ScorerTraining(BaseModel):
    """Everything that decides which scorer comes out."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    rollouts: Path
    """File of rollouts to train on: JSON lines, one question with its marked paths a line."""
    base: Path
    """Folder of the model to start from: a language model or a sequence classifier, with its tokenizer."""
    output: Path
    """Folder that the scorer and its report are written to."""
    held_out: Path | None = None
    """File of rollouts to measure on; without one, a share of the training file's questions is held out."""
    held_out_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of the questions that is held out where no file for it is given."""
    input: str = DEFAULT_INPUT
    """Template of the text that is scored, with {question} and {path} once each."""

    alpha: float = Field(default=0.3, ge=0, le=1)
    """Weight of the ranking in the loss; the rest is regression. The published setting is 0.3."""
    delta: float = Field(default=1.0, gt=0)
    """Where the Huber loss turns from square to straight. The published setting is 1.0."""
    margin: float = Field(default=0.1, ge=0, le=1)
    """How far apart a better and a worse path's scores are wanted. The published setting is 0.1."""

    epochs: int = Field(default=4, ge=1)
    """Passes over the training questions."""
    learning_rate: float = Field(default=3e-4, gt=0)
    """Peak learning rate, warmed up and then lowered along a cosine; large models need far less, such as 1e-5."""
    batch_questions: int = Field(default=32, ge=1)
    """Questions in one batch, at most."""
    max_batch_tokens: int = Field(default=16384, ge=1)
    """Tokens in one batch, at most, padding included; a single question that is larger is a batch of its own."""
    best_of: int = Field(default=4, ge=1)
    """Paths that the held-out figures choose among; the graph draws four."""
    evaluations: int = Field(default=8, ge=1)
    """How often the held-out figures are measured, evenly over the training."""
    seed: int = Field(default=0, ge=0)
    """Decides the new head's weights and the order of the batches."""

    @field_validator("input")
    @classmethod
    def _template(cls, template: str) -> str:
        return Manifest(input=template).input


def train_scorer(config: ScorerTraining) -> Path:
    """Trains a scorer, saves it with its report, and returns its folder, ready for `ClassifierScorer.load`.

    Deterministic on the CPU for a seed and a number of threads.

    Raises:
        SetupError: a package of the `train` extra is missing.
        InputError: the rollouts cannot be used.
        ModelError: the base model cannot be used.
    """
    _need("accelerate", "matplotlib")
    from transformers import set_seed

    train, held_out = _read(config)
    set_seed(config.seed)
    model, tokenizer = _load_base(config.base)
    prepare = Preparation(tokenizer, config.input, context_tokens(model, tokenizer))
    examples, measured = prepare.examples(train), prepare.examples(held_out)
    trainer = _trainer(config, model, examples, measured)
    trainer.train()
    curve = list(trainer.state.log_history)
    figures = trainer.evaluate()  # of the best weights, which are the ones that are saved
    sizes = {**_sizes(examples, measured), "paths_left_out_as_empty_or_too_long": prepare.left_out}
    manifest = _manifest(config, sizes, figures, trainer.state.best_global_step)
    _save(config.output, trainer, tokenizer, manifest)
    write_report(config.output, manifest.model_dump(), curve)
    return config.output


def _need(*packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise SetupError(f"training needs {package}, which is not installed: pip install 'egrm-graph[train]'")


def _read(config: ScorerTraining) -> tuple[list[Rollout], list[Rollout]]:
    rollouts = read_rollouts(config.rollouts)
    if config.held_out is not None:
        held_out = read_rollouts(config.held_out)
        shared = {rollout.question for rollout in rollouts} & {rollout.question for rollout in held_out}
        if shared:
            raise InputError(f"{len(shared)} questions are in both files, such as {min(shared)!r}; hold out others")
        return rollouts, held_out
    train, held_out = split(rollouts, config.held_out_share)
    if not train or not held_out:
        raise InputError(
            f"{len(rollouts)} questions in {config.rollouts} are too few to hold out a share of "
            f"{config.held_out_share}; give more of them, or a file with held-out rollouts"
        )
    return train, held_out


def _load_base(folder: Path) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    import torch
    from transformers import AutoModelForSequenceClassification

    if not folder.is_dir():
        raise ModelError(f"there is no model in {folder}: the folder does not exist")
    tokenizer = load_tokenizer(folder)
    try:
        model = AutoModelForSequenceClassification.from_pretrained(
            folder,
            num_labels=1,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
        )
    except Exception as error:  # transformers raises whatever the file's reader does
        raise ModelError(f"no scorer can be started from the model in {folder}: {error}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    text = model.config.get_text_config()
    text.pad_token_id = model.config.pad_token_id = tokenizer.pad_token_id
    if text.pad_token_id is None:
        raise ModelError(f"the tokenizer in {folder} has neither a padding nor an end token; give it one")
    return model, tokenizer


def _trainer(
    config: ScorerTraining, model: PreTrainedModel, train: Sequence[Example], held_out: Sequence[Example]
) -> Trainer:
    import torch
    from transformers import Trainer, TrainingArguments

    class ScorerTrainer(Trainer):
        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,  # noqa: ARG002 the mean over a batch is the objective's own
        ) -> Any:
            logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits  # (N, 1)
            scores = logits[:, 0].float().sigmoid()  # (N,)
            weights = {"alpha": config.alpha, "delta": config.delta, "margin": config.margin}
            loss = hybrid_loss(scores, inputs["labels"], inputs["groups"], **weights).total
            return (loss, {"loss": loss, "scores": scores}) if return_outputs else loss

        def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:  # noqa: ARG002 there is one
            batches: Any = group(held_out, config.batch_questions, config.max_batch_tokens)
            return torch.utils.data.DataLoader(
                batches,
                collate_fn=collator(held_out, model.config.get_text_config().pad_token_id),
            )

    batches: Any = group(train, config.batch_questions, config.max_batch_tokens)  # a list does for a data set
    measured: Any = [[]]  # its batches come from get_eval_dataloader
    interval = max(1, len(batches) * config.epochs // config.evaluations)
    return ScorerTrainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(config.output / "checkpoints"),
            num_train_epochs=config.epochs,
            per_device_train_batch_size=1,  # one item of the data set is a whole batch
            learning_rate=config.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=0.05,
            weight_decay=0.01,
            max_grad_norm=1.0,
            logging_steps=max(1, interval // 4),
            eval_strategy="steps",
            eval_steps=interval,
            save_strategy="steps",
            save_steps=interval,
            save_total_limit=1,
            save_only_model=True,
            load_best_model_at_end=True,
            metric_for_best_model="selection",
            greater_is_better=True,
            label_names=["labels", "groups"],
            remove_unused_columns=False,
            dataloader_pin_memory=torch.cuda.is_available(),
            use_cpu=not torch.cuda.is_available(),
            seed=config.seed,
            report_to=[],
        ),
        train_dataset=batches,
        eval_dataset=measured,
        data_collator=collator(train, model.config.get_text_config().pad_token_id),
        compute_metrics=_metrics(held_out, config.best_of),
    )


def _metrics(held_out: Sequence[Example], best_of: int) -> Callable[[Any], dict[str, float]]:
    """From the scores of the held-out paths to figures, and the number by which the best weights are chosen."""

    def metrics(prediction: Any) -> dict[str, float]:
        scores: dict[int, list[float]] = {i: [] for i in range(len(held_out))}
        for group_id, score in zip(prediction.label_ids[1].tolist(), prediction.predictions.tolist(), strict=True):
            scores[group_id].append(score)
        figures = measure([example.rollout for example in held_out], list(scores.values()), best_of)
        best, pairwise = figures.best_of_n or 0, figures.pairwise or 0
        # best_of_n moves in steps of 1 / questions, so that half of one leaves the pairs to break ties only
        selection = best + pairwise / (2 * figures.questions)
        return {"selection": selection, **{k: v for k, v in figures._asdict().items() if v is not None}}

    return metrics


def _sizes(train: Sequence[Example], held_out: Sequence[Example]) -> dict[str, int]:
    return {
        "train_questions": len(train),
        "train_paths": sum(len(example.rows) for example in train),
        "train_questions_with_pairs": sum(len(set(example.targets)) > 1 for example in train),
        "held_out_questions": len(held_out),
        "held_out_paths": sum(len(example.rows) for example in held_out),
    }


def _manifest(
    config: ScorerTraining, sizes: Mapping[str, int], measured: Mapping[str, float], best_step: int | None
) -> Manifest:
    files = {"rollouts": config.rollouts, "held_out": config.held_out}
    places = {"rollouts", "base", "output", "held_out", "input"}
    return Manifest.model_validate(
        {
            "input": config.input,
            "egrm_graph": version("egrm-graph"),
            "base": config.base.resolve().name,
            "settings": config.model_dump(mode="json", exclude=places),
            "data_sha256": {name: sha256(file.read_bytes()).hexdigest() for name, file in files.items() if file},
            "data": dict(sizes),
            "held_out": {name: measured.get(f"eval_{name}") for name in ("loss", *Figures._fields)},
            "best_step": best_step,
        }
    )


def _save(folder: Path, trainer: Trainer, tokenizer: PreTrainedTokenizerBase, manifest: Manifest) -> None:
    trainer.save_model(str(folder))
    tokenizer.save_pretrained(folder)
    (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle; the settings are in egrm.json
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", "utf-8")
