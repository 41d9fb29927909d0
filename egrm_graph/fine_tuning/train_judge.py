"""Train a judge: on judgments (supervised), or by whether its own verdicts are right (reinforced).

Source: Mix-GRM, arXiv:2603.01571, with its learning rates, warm-up, group size, temperature, and KL coefficient.
Differs: a batch of the reinforcement has 16 prompts instead of 128.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from egrm_graph.errors import InputError
from egrm_graph.extensions import Extensions
from egrm_graph.fine_tuning.fine_tuning_output import origin_of
from egrm_graph.fine_tuning.fine_tuning_run import FineTuningRun, fine_tune, run_fine_tuning
from egrm_graph.fine_tuning.judge_prompts import judge_name, judge_prompts
from egrm_graph.fine_tuning.judge_run import JudgeRun
from egrm_graph.fine_tuning.judge_settings import JudgeTraining
from egrm_graph.fine_tuning.judged_pairs import JudgedPair, read_pairs, with_shuffled_labels
from egrm_graph.fine_tuning.language_model import end_ids
from egrm_graph.fine_tuning.measuring_callback import noting
from egrm_graph.fine_tuning.supervised_run import split_rows, supervise
from egrm_graph.fine_tuning.token_rows import trl_prompt
from egrm_graph.fine_tuning.trl_trainers import reinforced_trainer
from egrm_graph.fine_tuning.verdict_reward import verdict_rewards
from egrm_graph.training.trainer_callbacks import TrainingObserver

LOGGED = {
    "reward": "reward",
    "right": "right",
    "unreadable": "unreadable",
    "fit": "fitting structure",
    "without_spread": "groups without spread",
    "kl": "KL",
    "completions/mean_length": "tokens",
}
"""The figures of a reinforcement that are reported as it goes, with their labels."""


def train_judge(
    config: JudgeTraining,
    *,
    extensions: Extensions | None = None,
    resume: bool = False,
    overwrite: bool = False,
    observer: TrainingObserver | None = None,
) -> Path:
    """Train a judge, save it with its report, and return its folder, which transformers and vLLM load.

    `extensions` may have your own task or strategy. Deterministic on the CPU for a seed and a number of threads, even
    if it is killed and resumed.

    Raises:
        SetupError: a package of the `train` extra is missing, or the loss is NaN or infinite.
        SettingsError: a name is unknown, or the training to resume was started with other settings or other data.
        InputError: the data cannot be used, or the output folder is in use.
        ModelError: the base model cannot be used.
        RunError: a held-out pair could not be judged.
    """

    def train(run: FineTuningRun) -> None:
        (_reinforce if config.reinforce else _supervise)(config, extensions, run)

    origin = partial(origin_of, config, judged_as=judge_name(config))
    return run_fine_tuning(config, origin, train, resume=resume, overwrite=overwrite, observer=observer)


def _supervise(config: JudgeTraining, extensions: Extensions | None, run: FineTuningRun) -> None:
    rows = split_rows(config)
    pairs = [] if config.pairs is None else read_pairs(config.pairs)
    judge = JudgeRun(config, run, run.load(), pairs, extensions)
    judge.save(*supervise(run, judge.base, rows, judge.measuring))


def _reinforce(config: JudgeTraining, extensions: Extensions | None, run: FineTuningRun) -> None:
    pairs = read_pairs(config.data)
    held_out = [] if config.pairs is None else read_pairs(config.pairs)
    _refuse_shared(pairs, held_out)
    judge = JudgeRun(config, run, run.load(), held_out, extensions)
    found = judge_prompts(judge.parts, with_shuffled_labels(pairs, config.seed) if config.shuffle_labels else pairs)
    prompts = judge.fitting(found)
    long = f"{len(found) - len(prompts)} prompts leave no space for {config.rollout_tokens} tokens"
    if not prompts:
        raise InputError(
            f"none of the {len(pairs)} pairs in {config.data} can be judged: {long}, and the others have no two "
            "different candidates; use other pairs, or lower rollout_tokens (--rollout-tokens)"
        )
    if len(prompts) < len(found):
        run.observer.noted(f"{long}, and are left out")
    written = [prompt.written_for(judge.base.tokenizer) for prompt in prompts]
    rows = [{"prompt": trl_prompt(each), "place": i} for i, each in enumerate(written)]
    rewards = verdict_rewards(judge.task, prompts, end_ids=end_ids(judge.base), group_size=config.group_size)
    n_steps = config.n_steps(len(rows))
    tuned = fine_tune(
        run,
        lambda checkpoints, callbacks: reinforced_trainer(
            config,
            judge.base,
            rows,
            rewards,
            checkpoints=checkpoints,
            callbacks=[*callbacks, noting(LOGGED, run.observer), *judge.measuring(n_steps)],
        ),
    )
    counts = {"train_pairs": len(pairs), "prompts": len(prompts), "prompts_left_out": len(found) - len(prompts)}
    judge.save(tuned, {**counts, "steps": n_steps})


def _refuse_shared(pairs: Sequence[JudgedPair], held_out: Sequence[JudgedPair]) -> None:
    def keys(some: Sequence[JudgedPair]) -> set[tuple[str, frozenset[str]]]:
        return {(pair.question, frozenset(pair.candidates)) for pair in some}

    if shared := keys(pairs) & keys(held_out):
        question = min(question for question, _ in shared)
        raise InputError(f"{len(shared)} pairs are in both files, such as one of {question!r}; hold out other pairs")
