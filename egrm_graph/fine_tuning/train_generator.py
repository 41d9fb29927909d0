"""Train a generator: on its own short and long texts (supervised), or by what its paths earn (reinforced).

Source: both stages of E-GRM, arXiv:2604.10072. Differs: the source gives no learning rate, batch, group size, or KL
coefficient that could be read; these are the defaults of all trainings here.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from egrm_graph.errors import InputError, SettingsError
from egrm_graph.fine_tuning.completion_rows import ChatTurn
from egrm_graph.fine_tuning.fine_tuning_output import origin_of
from egrm_graph.fine_tuning.fine_tuning_report import write_fine_tuning_report
from egrm_graph.fine_tuning.fine_tuning_run import FineTuned, FineTuningRun, fine_tune, finish, run_fine_tuning
from egrm_graph.fine_tuning.generator_figures import generator_figures
from egrm_graph.fine_tuning.generator_measurement import answer_questions
from egrm_graph.fine_tuning.generator_plots import generator_plots
from egrm_graph.fine_tuning.generator_prompts import generator_name, generator_parts, path_prompts, scorer_origin
from egrm_graph.fine_tuning.generator_questions import AnsweredQuestion, read_answered_questions, refuse_shared
from egrm_graph.fine_tuning.generator_settings import GeneratorTraining
from egrm_graph.fine_tuning.language_model import LanguageModel, end_ids, most_tokens
from egrm_graph.fine_tuning.measuring_callback import figures_at, measuring, noting
from egrm_graph.fine_tuning.path_grading import PathGrader
from egrm_graph.fine_tuning.supervised_run import split_rows, supervise
from egrm_graph.fine_tuning.token_rows import RowTokenizer, trl_prompt, written_prompt
from egrm_graph.fine_tuning.trl_path_reward import path_rewarder
from egrm_graph.fine_tuning.trl_trainers import interval, reinforced_trainer
from egrm_graph.parts import Parts
from egrm_graph.runtime.background_loop import BackgroundLoop
from egrm_graph.training.trainer_callbacks import TrainingObserver

if TYPE_CHECKING:
    from transformers import TrainerCallback

LOGGED = {
    "reward": "reward",
    "score": "score",
    "right": "right",
    "unreadable": "unreadable",
    "without_spread": "groups without spread",
    "kl": "KL",
    "completions/mean_length": "tokens",
}
"""The figures of a reinforcement that are reported as it goes, with their labels."""


def train_generator(
    config: GeneratorTraining,
    *,
    resume: bool = False,
    overwrite: bool = False,
    observer: TrainingObserver | None = None,
) -> Path:
    """Train a generator, save it with its report, and return its folder, which transformers and vLLM load.

    Deterministic on the CPU for a seed and a number of threads, even if it is killed and resumed.

    Raises:
        SetupError: a package of the `train` extra is missing, or the loss is NaN or infinite.
        SettingsError: a name is unknown, the reward needs a scorer and there is none, or the training to resume was
            started with other settings or other data.
        InputError: the data cannot be used, or the output folder is in use.
        ModelError: the base model or the scorer cannot be used.
        RunError: a held-out question has no path.
    """

    def train(run: FineTuningRun) -> None:
        (_reinforce if config.reinforce else _supervise)(config, run)

    origin = partial(origin_of, config, known_as=generator_name(config), **scorer_origin(config))
    return run_fine_tuning(config, origin, train, resume=resume, overwrite=overwrite, observer=observer)


class _GeneratorRun:
    """A training, with the model that it starts from and the questions that it is measured on."""

    def __init__(self, config: GeneratorTraining, run: FineTuningRun, held_out: Sequence[AnsweredQuestion]) -> None:
        self.config = config
        self.base: LanguageModel = run.load()
        self.parts: Parts = generator_parts(config, self.base)
        self.held_out = held_out
        self.run = run

    def measuring(self, n_steps: int) -> list[TrainerCallback]:
        """The callback that measures the generator on the held-out questions; none without questions."""
        if not self.held_out:
            return []

        def measure() -> Mapping[str, float]:
            return generator_figures(answer_questions(self.parts, self.held_out))

        return [measuring(measure, interval(self.config, n_steps), self.run.observer)]

    def fits(self, prompt: str | tuple[ChatTurn, ...]) -> bool:
        """Whether the prompt leaves enough of the model's context for a rollout."""
        most = most_tokens(self.base, None)
        tokenizer = RowTokenizer(self.base.tokenizer, most, self.config.template_options)
        return most is None or len(tokenizer.prompt_ids(prompt)) + self.config.rollout_tokens <= most

    def save(self, tuned: FineTuned, counts: Mapping[str, int]) -> None:
        """Save the generator, its manifest, and its report."""
        before, after = figures_at(tuned.curve, last=False), figures_at(tuned.curve, last=True)
        manifest: dict[str, Any] = {
            **self.run.origin,
            "data": {**counts, "held_out_questions": len(self.held_out)},
            "held_out": {"before": before, "after": after},
        }
        write_fine_tuning_report(self.config.output, "Generator", manifest, tuned.curve, generator_plots(tuned.curve))
        finish(self.run, self.base, tuned, manifest)


def _supervise(config: GeneratorTraining, run: FineTuningRun) -> None:
    rows = split_rows(config)
    questions = [] if config.questions is None else read_answered_questions(config.questions)
    generator = _GeneratorRun(config, run, questions)
    generator.save(*supervise(run, generator.base, rows, generator.measuring))


def _reinforce(config: GeneratorTraining, run: FineTuningRun) -> None:
    questions = read_answered_questions(config.data)
    held_out = [] if config.questions is None else read_answered_questions(config.questions)
    refuse_shared(questions, held_out)
    generator = _GeneratorRun(config, run, held_out)
    if config.reward != "answer" and generator.parts.scorer is None:
        raise SettingsError(
            f"the reward {config.reward!r} needs a scorer; set scorer (--scorer) to a folder of `egrm train scorer`, "
            "or reward (--reward) to 'answer'"
        )
    prompts = [written_prompt(each, generator.base.tokenizer) for each in path_prompts(generator.parts, questions)]
    found = list(zip(questions, prompts, strict=True))
    rows = [
        {"prompt": trl_prompt(prompt), "question": question.question, "reference": question.reference}
        for question, prompt in found
        if generator.fits(prompt)
    ]
    long = f"{len(found) - len(rows)} questions leave no space for {config.rollout_tokens} tokens"
    if not rows:
        raise InputError(f"no question in {config.data} can be used: {long}; lower rollout_tokens (--rollout-tokens)")
    if len(rows) < len(found):
        run.observer.noted(f"{long}, and are left out")
    parts, loop = generator.parts, BackgroundLoop("egrm-path-rewards")
    grader = PathGrader(parts.task, parts.settings, parts.scorer)
    rewards = path_rewarder(grader, config.reward, config.beta, loop, end_ids(generator.base))
    n_steps = config.n_steps(len(rows))
    try:
        with _without_reward_warnings():
            tuned = fine_tune(
                run,
                lambda checkpoints, callbacks: reinforced_trainer(
                    config,
                    generator.base,
                    rows,
                    rewards,
                    checkpoints=checkpoints,
                    callbacks=[*callbacks, noting(LOGGED, run.observer), *generator.measuring(n_steps)],
                ),
            )
    finally:
        loop.close()
    counts = {"train_questions": len(rows), "questions_left_out": len(found) - len(rows)}
    generator.save(tuned, {**counts, "steps": n_steps})


@contextmanager
def _without_reward_warnings() -> Iterator[None]:
    """Hide TRL's warning about completions without a reward: these are expected, and it quotes their text."""
    logger = logging.getLogger("trl.trainer.grpo_trainer")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
