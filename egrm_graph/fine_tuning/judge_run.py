"""What both trainings of a judge do: measure it on held-out pairs, and save it with its report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from egrm_graph.extensions import Extensions
from egrm_graph.fine_tuning.fine_tuning_plots import judge_plots
from egrm_graph.fine_tuning.fine_tuning_report import write_fine_tuning_report
from egrm_graph.fine_tuning.fine_tuning_run import FineTuned, FineTuningRun, finish
from egrm_graph.fine_tuning.judge_measurement import judge_pairs
from egrm_graph.fine_tuning.judge_prompts import JudgePrompt, judging_parts
from egrm_graph.fine_tuning.judge_settings import JudgeTraining
from egrm_graph.fine_tuning.judged_pairs import JudgedPair
from egrm_graph.fine_tuning.judgment_figures import judgment_figures
from egrm_graph.fine_tuning.language_model import LanguageModel, most_tokens
from egrm_graph.fine_tuning.measuring_callback import figures_at, measuring
from egrm_graph.fine_tuning.token_rows import RowTokenizer
from egrm_graph.fine_tuning.trl_trainers import interval
from egrm_graph.tasks.judging import Judging

if TYPE_CHECKING:
    from transformers import TrainerCallback


class JudgeRun:
    """A training of a judge, with the model that it starts from and the pairs that it is measured on."""

    def __init__(
        self,
        config: JudgeTraining,
        run: FineTuningRun,
        base: LanguageModel,
        held_out: Sequence[JudgedPair],
        extensions: Extensions | None,
    ) -> None:
        self.config = config
        self.base = base
        self.parts = judging_parts(config, base, extensions)
        self._run = run
        self._held_out = held_out

    @property
    def task(self) -> Judging:
        task = self.parts.task
        assert isinstance(task, Judging)  # judging_parts refuses others
        return task

    def measuring(self, n_steps: int) -> list[TrainerCallback]:
        """The callback that measures the judge on the held-out pairs; none without pairs."""
        if not self._held_out:
            return []

        def measure() -> Mapping[str, float]:
            return judgment_figures(judge_pairs(self.parts, self._held_out))

        return [measuring(measure, interval(self.config, n_steps), self._run.observer)]

    def fitting(self, prompts: Sequence[JudgePrompt]) -> list[JudgePrompt]:
        """The prompts that leave enough of the model's context for a judgment."""
        config = self.config
        most = most_tokens(self.base, None)
        if most is None:
            return list(prompts)
        tokenizer = RowTokenizer(self.base.tokenizer, most, config.template_options)
        return [
            p
            for p in prompts
            if len(tokenizer.prompt_ids(p.written_for(self.base.tokenizer))) + config.rollout_tokens <= most
        ]

    def save(self, tuned: FineTuned, counts: Mapping[str, int]) -> None:
        """Save the judge, its manifest, and its report."""
        before, after = figures_at(tuned.curve, last=False), figures_at(tuned.curve, last=True)
        manifest: dict[str, Any] = {
            **self._run.origin,
            "data": {**counts, "held_out_pairs": len(self._held_out)},
            "held_out": {"before": before, "after": after},
        }
        write_fine_tuning_report(self.config.output, "Judge", manifest, tuned.curve, judge_plots(tuned.curve))
        finish(self._run, self.base, tuned, manifest)
