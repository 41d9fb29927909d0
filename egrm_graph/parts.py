"""The parts of a graph: the models that its settings name, and what the user passed in."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from egrm_graph.calibration.calibrated_gate import CalibratedGate, calibrated
from egrm_graph.clients.client import Client, ContinuesPrompt, ContinuesTokens, ShapesReplies
from egrm_graph.clients.engines import load_client
from egrm_graph.deciding.selection_rules import SelectionRule
from egrm_graph.drawing.reply_forms import reply_form
from egrm_graph.drawing.requirements import unmet_need
from egrm_graph.drawing.sampling import require_options
from egrm_graph.errors import SettingsError
from egrm_graph.extensions import Extensions, as_client, as_scorer
from egrm_graph.prompting import FAST_PROMPT, Prompts, PromptSource
from egrm_graph.records.privacy import Redactor
from egrm_graph.records.record import Source
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.function_scorer import ScoreFunction
from egrm_graph.scoring.scorer import Scorer, StepScorer
from egrm_graph.scoring.step_grading import StepGrading, step_grading
from egrm_graph.settings import (
    BUNDLED_SCORER,
    BUNDLED_TREE_SCORER,
    MIN_CONFIDENCE,
    MOST_PATHS,
    PATHS,
    ReplyForm,
    RunSettings,
    Settings,
)
from egrm_graph.strategies.divergent import check_divergent
from egrm_graph.strategies.judged_paths import check_judges, check_path_reply
from egrm_graph.strategies.strategy import PathStrategy, ReadsScores, grows_tree, one_completion
from egrm_graph.tasks import task_named
from egrm_graph.tasks.judging import Judging
from egrm_graph.tasks.task import Task
from egrm_graph.tracing.recording import Tracer, tracer_of
from egrm_graph.tracing.store import Store
from egrm_graph.uncertainty.measures import Gate, Measure
from egrm_graph.uncertainty.stopping import VOTE_RULES, StoppingRule, everything, path_stopping_rule, stopping_rule

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


@dataclass(frozen=True)
class Parts:
    """Everything that the nodes need, and what to close at the end."""

    settings: Settings
    client: Client
    task: Task
    prompts: Prompts
    scorer: Scorer | None
    extensions: Extensions
    closers: tuple[Callable[[], Awaitable[None]], ...] = ()
    """Close what was loaded here and not passed in."""
    calibration: CalibratedGate | None = None
    tracer: Tracer | None = None
    store: Store | None = None
    """The store for records that was passed in."""
    tree_scorer: Scorer | None = None
    """The scorer of the paths of trees; None if it is `scorer`."""

    def measure(self, settings: RunSettings) -> Measure:
        """The measure that the settings name.

        Raises:
            SettingsError: the measure is unknown, cannot get what it needs, or has no threshold.
        """
        measure = self.extensions.measure(settings.measure)
        if (unmet := unmet_need(measure, settings, self.client, self.task)) is not None:
            raise SettingsError(f"the measure {measure.name!r} {unmet}")
        return measure

    def gate(self, settings: RunSettings) -> Gate:
        """That measure, with the threshold in the settings or its own.

        Raises:
            SettingsError: as for `measure`.
        """
        measure, threshold = self.measure(settings), settings.threshold
        if threshold is None:
            threshold = measure.default_threshold(judging=isinstance(self.task, Judging))
        return Gate(measure, threshold)

    def stopping_rule(self, settings: RunSettings) -> StoppingRule:
        """The stopping rule that the settings name, for their gate.

        Raises:
            SettingsError: the rule is unknown, or as for `measure`.
        """
        return stopping_rule(settings.stopping, self.gate(settings), self.extensions.stopping_rules)

    def path_scorer(self, settings: RunSettings) -> Scorer | None:
        """The scorer of the paths that the settings' strategy draws; None if these paths vote.

        Raises:
            SettingsError: the strategy is unknown.
        """
        return self.tree_scorer or self.scorer if grows_tree(self.strategy(settings)) else self.scorer

    def scorer_name(self, settings: RunSettings) -> str | None:
        """The name of that scorer."""
        scorer = self.path_scorer(settings)
        return None if scorer is None else scorer.name

    def step_grading(self, settings: RunSettings) -> StepGrading | None:
        """How paths are graded by their steps; None if only full paths are scored.

        Raises:
            SettingsError: the scorer cannot score steps, or the settings do not say where they end.
        """
        return step_grading(self.path_scorer(settings), settings.steps, settings.aggregation)

    def scores_calibrated(self, settings: RunSettings) -> bool:
        """Whether the scores of paths are calibrated probabilities.

        Raises:
            SettingsError: as for `step_grading`.
        """
        scorer, steps = self.path_scorer(settings), self.step_grading(settings)
        return scorer is not None and (scorer.calibrated if steps is None else steps.calibrated)

    def path_stopping_rule(self, settings: RunSettings) -> StoppingRule:
        """The stopping rule for paths that the settings name.

        Raises:
            SettingsError: the rule is unknown or not for paths, or it needs calibrated scores or paths that are drawn
                one by one; or as for `step_grading`.
        """
        name, calibrated = settings.path_stopping, self.scores_calibrated(settings)
        if name == "auto":
            # Rewards are shares of all paths, so nothing about them is settled before the last one.
            at_once = self.task.counts_every_vote or one_completion(self.strategy(settings))
            name = "posterior" if calibrated and not at_once else "all"
        rule = path_stopping_rule(name, settings.path_confidence, self.extensions.stopping_rules)
        if name == "posterior" and not calibrated:
            raise SettingsError(
                f"path_stopping='posterior' needs scores that are probabilities, and {self._uncalibrated(settings)}, "
                "or path_stopping to 'all' or 'beta'"
            )
        if rule is not everything and one_completion(self.strategy(settings)):
            raise SettingsError(
                f"path_stopping={name!r} stops between paths, and the strategy {settings.strategy!r} draws all of them "
                "in one completion; set path_stopping (--path-stopping) to 'all', or strategy (--strategy) to 'plain'"
            )
        return rule

    def most_paths(self, settings: RunSettings) -> int:
        """The maximum number of paths, in the settings or else by whether drawing may stop early.

        Raises:
            SettingsError: as for `path_stopping_rule`.
        """
        if settings.paths is not None:
            return settings.paths
        return PATHS if self.path_stopping_rule(settings) is everything else MOST_PATHS

    def strategy(self, settings: RunSettings) -> PathStrategy:
        """The path strategy that the settings name.

        Raises:
            SettingsError: the strategy is unknown.
        """
        return self.extensions.strategy(settings.strategy)

    def selection_rule(self, settings: RunSettings) -> SelectionRule:
        """The selection rule that the settings name.

        Raises:
            SettingsError: the rule is unknown.
        """
        return self.extensions.selection_rule(settings.selection)

    def reply_form(self, settings: RunSettings) -> ReplyForm:
        """The form of the fast answers.

        Raises:
            SettingsError: the settings name a form that the client or the prompt does not support.
        """
        labels = "readings" in self.task.provides
        return reply_form(settings, self.client, self.prompts.replies[FAST_PROMPT], labels=labels)

    @property
    def restricts_replies(self) -> bool:
        """Whether the model can be restricted to a pattern."""
        return isinstance(self.client, ShapesReplies) and "structured" in self.client.reply_forms

    def check_settings(self, settings: RunSettings) -> None:
        """Checks what the settings of a run need of the parts.

        Raises:
            SettingsError: a name is unknown; the measure or a stopping rule lacks something; a sampling setting does
                not reach the model; the form of fast answers or of judgments is not supported; or `min_confidence` is
                set, and no confidence is ever calibrated.
        """
        self.stopping_rule(settings)
        self.path_stopping_rule(settings)
        strategy = self.strategy(settings)
        check_judges(strategy, self.task, settings)
        check_divergent(strategy, self.task, self.settings)
        if missing := [name for name in strategy.prompts if name not in self.prompts.templates]:
            raise SettingsError(
                f"the strategy {strategy.name!r} does not suit the task {self.task.name!r}: its prompt {missing[0]}.md "
                "is missing or uses other variables"
            )
        self._check_tree(strategy, settings)
        self.selection_rule(settings)
        require_options(settings, self.client)
        self.reply_form(settings)
        check_path_reply(self.task, settings, self.client)
        if settings.min_confidence in (None, MIN_CONFIDENCE) or self._calibrates(settings):
            return
        fix = "set calibration to a file that `egrm calibrate` made for this model and task"
        if not isinstance(self.task, Judging):
            fix += ", set scorer to a calibrated one"
        raise SettingsError(
            f"min_confidence={settings.min_confidence} only applies to calibrated confidences, and nothing here "
            f"calibrates them: {fix}, or leave min_confidence out"
        )

    def _check_tree(self, strategy: PathStrategy, settings: RunSettings) -> None:
        """Checks a strategy that continues token ids, as trees do.

        Raises:
            SettingsError: the client cannot, or something counts leaves as votes.
        """
        if not grows_tree(strategy):
            return
        name = f"the strategy {strategy.name!r}"
        if not (isinstance(self.client, ContinuesTokens) and self.client.continues_tokens):
            raise SettingsError(
                f"{name} continues paths from token ids, and {self.client.name} does not; use a vLLM server "
                "(engine='vllm'), a model in this process, or strategy='plain'"
            )
        if isinstance(self.task, Judging):
            raise SettingsError(
                f"{name} draws leaves of a tree, which are not votes, and the task {self.task.name!r} counts votes; "
                "set strategy to 'plain'"
            )
        if settings.top_logprobs < 2:
            raise SettingsError(f"top_logprobs=1 shows no other token to branch to, as {name} needs; set it to 20")
        if settings.path_stopping in VOTE_RULES:
            raise SettingsError(
                f"path_stopping={settings.path_stopping!r} counts paths as votes, and those of {name} are not "
                "independent; set it to 'posterior' or 'all'"
            )
        if (
            isinstance(strategy, ReadsScores)
            and strategy.reads_scores(settings)
            and self.step_grading(settings) is None
        ):
            given = "anchor_order='score'" if settings.prune_below is None else f"prune_below={settings.prune_below}"
            raise SettingsError(
                f"{given} goes by the scores of steps, and none are scored; set steps (--steps) to where they end, "
                "such as 'anchors' or 'lines', and scorer or tree_scorer to one that scores steps"
            )

    def _uncalibrated(self, settings: RunSettings) -> str:
        """Why scores are not probabilities, and what to set instead."""
        scorer, steps = self.path_scorer(settings), self.step_grading(settings)
        if scorer is not None and steps is not None:
            return (
                f"the {steps.aggregation} of the step scores of {scorer.name} is not calibrated; set steps to "
                "'none' (--steps none)"
            )
        lacking = "the graph has no scorer" if scorer is None else f"{scorer.name} is not calibrated"
        return f"{lacking}; set scorer (--scorer) to a calibrated one, such as `egrm train scorer` makes"

    def _calibrates(self, settings: RunSettings) -> bool:
        """Whether a run can have a calibrated confidence."""
        if self.calibration is not None and not self.calibration.foreign:
            return True
        return self.scores_calibrated(settings) and not isinstance(self.task, Judging)

    async def check(self) -> None:
        """Uses each model once, so that no run waits for the set-up of its first use.

        Raises:
            EgrmError: a model, or a server for one, cannot be used; names the fix.
        """
        await self.client.check()
        scorer = self.path_scorer(self.settings)
        if self.step_grading(self.settings) is not None and isinstance(scorer, StepScorer):
            await scorer.score_steps("1", ["1"], [[1]])
        elif scorer is self.scorer and self.settings.scorer_url is not None:
            from egrm_graph.scoring.remote import RemoteScorer

            if isinstance(scorer, RemoteScorer):
                await scorer.check()
        elif scorer is not None:
            await scorer.score("1", ["1"])

    async def aclose(self) -> None:
        for close in self.closers:
            await close()


def assemble(
    settings: Settings,
    client: Client | BaseChatModel | None = None,
    scorer: Scorer | ScoreFunction | Literal["settings"] | None = "settings",
    extensions: Extensions | None = None,
    *,
    tree_scorer: Scorer | ScoreFunction | Literal["settings"] | None = "settings",
    store: Store | None = None,
    redact: Redactor | None = None,
) -> Parts:
    """Loads what was not passed in, and checks that everything fits together.

    Raises:
        SetupError: the settings do not fit together, a client or scorer lacks something, or a model cannot be loaded.
    """
    extensions = extensions or Extensions()
    used_client = None if client is None else as_client(client)
    used_scorer = None if scorer is None or scorer == "settings" else as_scorer(scorer)
    if used_client is not None and used_client.name != settings.model:
        # What belongs to the bundled model belongs to a client of its name, whatever model the settings name.
        settings = settings.model_copy(update={"model": used_client.name})
    task = task_named(settings.task_name, extensions.tasks, bundled=settings.bundled)
    strategy = extensions.strategy(settings.strategy)
    check_judges(strategy, task, settings)
    check_divergent(strategy, task, settings)
    prompts = _load_prompts(settings, task, extensions)
    closers: list[Callable[[], Awaitable[None]]] = []
    if used_client is None:
        used_client = load_client(settings, judges=isinstance(task, Judging))
        closers.append(used_client.aclose)
    if isinstance(used_client, ContinuesPrompt) and used_client.continues_prompt:
        task = task_named(settings.task_name, extensions.tasks, bundled=settings.bundled, first=True)
    else:
        prompts = replace(prompts, stop={})
    if scorer == "settings":
        used_scorer = scorer_of(settings)
        closers += [] if used_scorer is None else [used_scorer.aclose]
    used_tree_scorer = None if tree_scorer is None or tree_scorer == "settings" else as_scorer(tree_scorer)
    if tree_scorer == "settings":
        folder = tree_scorer_folder(settings, own_scorer=scorer != "settings")
        used_tree_scorer = None if folder is None else load_scorer(folder)
        closers += [] if used_tree_scorer is None else [used_tree_scorer.aclose]
    settings, gate = calibrated(
        settings,
        has_scorer=used_scorer is not None,
        judges=isinstance(task, Judging),
        reads_labels=used_client.gives_logprobs,
    )
    sources = _sources(settings, () if gate is None else gate.found.run_settings)
    parts = Parts(
        settings,
        used_client,
        task,
        prompts,
        used_scorer,
        extensions,
        tuple(closers),
        gate,
        store=store,
        tree_scorer=used_tree_scorer,
    )
    tracer = tracer_of(settings, sources, used_client, task.same, store, scorer_name=parts.scorer_name, redact=redact)
    parts = replace(parts, tracer=tracer)
    parts.check_settings(settings)
    return parts


def _load_prompts(settings: Settings, task: Task, extensions: Extensions) -> Prompts:
    """The prompts of the fast answers and of every strategy, so that a run may name another strategy.

    Raises:
        SettingsError: a prompt that the settings need is missing or wrong. Another strategy's prompt that does not suit
            the task is left out.
    """
    chosen = extensions.strategy(settings.strategy)
    known = {FAST_PROMPT, *(name for strategy in extensions.strategies.values() for name in strategy.prompts)}

    def load(own: Mapping[str, PromptSource | None], variables: Mapping[str, Any]) -> Prompts:
        return Prompts.load(settings.prompts, task.prompts, {**task.variables, **variables}, own, known)

    prompts = load({FAST_PROMPT: None}, {}).merged(load(chosen.prompts, chosen.variables))
    for strategy in extensions.strategies.values():
        if strategy is chosen:
            continue
        with contextlib.suppress(SettingsError):
            prompts = prompts.merged(load(strategy.prompts, strategy.variables))
    return prompts


def _sources(settings: Settings, calibrated: Iterable[str]) -> dict[str, Source]:
    """Where the settings of the build come from, except those left at their default."""
    sources: dict[str, Source] = {name: "build" for name in Settings.model_fields if name in settings.model_fields_set}
    for name in calibrated:
        sources[name] = "calibration"
    return sources


def scorer_folder(settings: Settings) -> Path | None:
    """The folder of the scorer that the settings name; None if paths vote."""
    if settings.scorer == "auto":
        return bundled(BUNDLED_SCORER) if settings.bundled == "sums" else None
    return None if settings.scorer is None else Path(settings.scorer)


def tree_scorer_folder(settings: Settings, *, own_scorer: bool = False) -> Path | None:
    """The folder of the scorer of trees that the settings name; None if it is the scorer of all paths."""
    if settings.tree_scorer == "auto":
        chosen = settings.scorer == "auto" and settings.bundled == "sums" and not own_scorer
        return bundled(BUNDLED_TREE_SCORER) if chosen and settings.scorer_url is None else None
    return None if settings.tree_scorer is None else Path(settings.tree_scorer)


def scorer_of(settings: Settings) -> Scorer | None:
    """The scorer that the settings name, in this process or behind its server; None if paths vote.

    Raises:
        SettingsError: the settings name a server for the scorer, but no scorer.
        ModelError: the scorer's folder cannot be used.
    """
    folder = scorer_folder(settings)
    if settings.scorer_url is None:
        return None if folder is None else load_scorer(folder)
    if folder is None:
        raise SettingsError(
            f"scorer_url is {settings.scorer_url!r}, but no scorer is set; set scorer (--scorer) to the folder of "
            "the one that is served there, or scorer_url to None (--scorer-url none)"
        )
    from egrm_graph.scoring.remote import RemoteScorer

    return RemoteScorer(
        folder,
        (settings.scorer_url,),
        api_key=settings.api_key,
        connect_timeout_s=settings.connect_timeout_s,
        request_timeout_s=settings.request_timeout_s,
        attempts=settings.attempts,
    )


def load_scorer(folder: Path) -> Scorer:
    """The scorer in that folder, in this process."""
    from egrm_graph.scoring.classifier import ClassifierScorer

    return ClassifierScorer.load(folder)
