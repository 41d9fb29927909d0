"""A supervised training on rows of a file, whatever the model is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from egrm_graph.errors import InputError
from egrm_graph.fine_tuning.completion_rows import CompletionRow, held_out_share, read_completion_rows
from egrm_graph.fine_tuning.fine_tuning_run import FineTuned, FineTuningRun, fine_tune
from egrm_graph.fine_tuning.fine_tuning_settings import FineTuning
from egrm_graph.fine_tuning.language_model import LanguageModel, most_tokens
from egrm_graph.fine_tuning.token_rows import RowTokenizer
from egrm_graph.fine_tuning.trl_trainers import supervised_trainer

if TYPE_CHECKING:
    from transformers import TrainerCallback


def split_rows(config: FineTuning) -> tuple[list[CompletionRow], list[CompletionRow]]:
    """The rows to train on, and the held-out ones.

    Raises:
        InputError: a file cannot be read or has no rows, or a row is not one.
    """
    rows = read_completion_rows(config.data)
    if config.held_out is not None:
        return rows, read_completion_rows(config.held_out)
    return held_out_share(rows, config.held_out_share)


def supervise(
    run: FineTuningRun,
    base: LanguageModel,
    rows: tuple[Sequence[CompletionRow], Sequence[CompletionRow]],
    measuring: Callable[[int], Sequence[TrainerCallback]],
) -> tuple[FineTuned, dict[str, int]]:
    """Train on the first of `rows`, and measure the loss on the second. Also returns the counts for the manifest.

    `measuring` takes the number of steps, and gives the callbacks that measure the model.

    Raises:
        InputError: no row is left to train on.
    """
    config, (train, held_out) = run.config, rows
    tokenizer = RowTokenizer(base.tokenizer, most_tokens(base, config.max_tokens), config.template_options)
    learned, measured = tokenizer.rows(train), tokenizer.rows(held_out)
    long = f"{tokenizer.left_out} rows have more than {tokenizer.max_tokens} tokens"
    if not learned:
        raise InputError(
            f"none of the {len(train) + len(held_out)} rows in {config.data} is left to train on: {len(held_out)} are "
            f"held out, and {long}; add rows, or raise max_tokens (--max-tokens)"
        )
    if tokenizer.left_out:
        run.observer.noted(f"{long}, and are left out")
    n_steps = config.n_steps(len(learned))
    tuned = fine_tune(
        run,
        lambda checkpoints, callbacks: supervised_trainer(
            config,
            base,
            learned,
            measured,
            checkpoints=checkpoints,
            callbacks=[*callbacks, *measuring(n_steps)],
        ),
    )
    counts = {"train_rows": len(learned), "held_out_rows": len(measured), "rows_left_out": tokenizer.left_out}
    return tuned, {**counts, "steps": n_steps}
