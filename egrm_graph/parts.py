"""What a graph is built with: the models that its settings name, put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from egrm_graph.calibration.calibrated_gate import GATE, CalibratedGate, calibrated
from egrm_graph.clients.client import Client, ContinuesPrompt
from egrm_graph.clients.engines import load_client
from egrm_graph.conformance import as_client, as_scorer
from egrm_graph.drawing.requirements import why_unmet
from egrm_graph.drawing.sampling import require_options
from egrm_graph.errors import SettingsError
from egrm_graph.prompting import Prompts
from egrm_graph.records.privacy import Rewrite
from egrm_graph.records.record import Source
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.function_scorer import ScoreFunction
from egrm_graph.scoring.scorer import Scorer
from egrm_graph.settings import BUNDLED_SCORER, MIN_CONFIDENCE, RunSettings, Settings
from egrm_graph.tasks import task_named
from egrm_graph.tasks.task import Task
from egrm_graph.tracing.recording import Tracer, tracer_of
from egrm_graph.tracing.store import Store
from egrm_graph.uncertainty.measures import MEASURES, Gate, Measure

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


@dataclass(frozen=True)
class Parts:
    """Everything that the nodes need, and what to close in the end."""

    settings: Settings
    client: Client
    task: Task
    prompts: Prompts
    scorer: Scorer | None
    measures: Mapping[str, Measure]
    closers: tuple[Callable[[], Awaitable[None]], ...] = ()
    """What was loaded here and not handed in."""
    calibration: CalibratedGate | None = None
    tracer: Tracer | None = None
    store: Store | None = None
    """What was handed in for records."""

    def measure(self, settings: RunSettings) -> Measure:
        """The measure that the settings name.

        Raises:
            SettingsError: there is none of that name, it cannot get what it needs, or there is no threshold for it.
        """
        measure = self.measures.get(settings.measure)
        if measure is None:
            raise SettingsError(f"there is no measure {settings.measure!r}; known are {', '.join(self.measures)}")
        if (unmet := why_unmet(measure, settings, self.client, self.task)) is not None:
            raise SettingsError(f"the measure {measure.name!r} {unmet}")
        return measure

    def gate(self, settings: RunSettings) -> Gate:
        """That measure, with the threshold that the settings give it or its own.

        Raises:
            SettingsError: as for `measure`.
        """
        measure = self.measure(settings)
        return Gate(measure, measure.threshold if settings.threshold is None else settings.threshold)

    def check_settings(self, settings: RunSettings) -> None:
        """Checks what a run's settings need of the models.

        Raises:
            SettingsError: as for `measure`; or a sampling setting does not reach the model; or `min_confidence` is set,
                and no confidence is ever calibrated.
        """
        self.measure(settings)
        require_options(settings, self.client)
        if settings.min_confidence in (None, MIN_CONFIDENCE) or self._calibrates:
            return
        fix = "set calibration to a file that `egrm calibrate` made for this model and task"
        if not self.settings.judges:
            fix += ", set scorer to a calibrated one"
        raise SettingsError(
            f"min_confidence={settings.min_confidence} applies to calibrated confidences only, and nothing here "
            f"calibrates them: {fix}, or leave min_confidence out"
        )

    @property
    def _calibrates(self) -> bool:
        """Whether a run can have a calibrated confidence."""
        if self.calibration is not None and not self.calibration.foreign:
            return True
        return self.scorer is not None and self.scorer.calibrated and not self.settings.judges

    async def check(self) -> None:
        """Uses each model once, so that no run waits for what its first use sets up.

        Raises:
            EgrmError: a model, or a server for one, cannot be used; names the fix.
        """
        await self.client.check()
        if self.settings.scorer_url is not None:
            from egrm_graph.scoring.remote import RemoteScorer

            if isinstance(self.scorer, RemoteScorer):
                await self.scorer.check()
        elif self.scorer is not None:
            await self.scorer.score("1", ["1"])

    async def aclose(self) -> None:
        for close in self.closers:
            await close()


def assemble(
    settings: Settings,
    client: Client | BaseChatModel | None = None,
    scorer: Scorer | ScoreFunction | Literal["settings"] | None = "settings",
    measures: Sequence[Measure] = (),
    *,
    store: Store | None = None,
    redact: Rewrite | None = None,
) -> Parts:
    """Loads what was not handed in.

    Raises:
        SetupError: the settings do not fit together, a client or scorer lacks something, or a model cannot be loaded.
    """
    if client is not None:
        client = as_client(client)
    if scorer is not None and scorer != "settings":
        scorer = as_scorer(scorer)
    if client is not None and client.name != settings.model:
        # What goes with the bundled model goes with a client of its name, whatever the settings' model is.
        settings = settings.model_copy(update={"model": client.name})
    task = task_named(settings.task_name, bundled=settings.bundled)
    closers: list[Callable[[], Awaitable[None]]] = []
    prompts = Prompts.load(task.prompts if settings.prompts == "auto" else settings.prompts, task.prompts)
    if client is None:
        client = load_client(settings)
        closers.append(client.aclose)
    if isinstance(client, ContinuesPrompt) and client.continues_prompt:
        task = task_named(settings.task_name, bundled=settings.bundled, first=True)
    else:
        prompts = replace(prompts, stop={})
    if scorer == "settings":
        scorer = scorer_of(settings)
        closers += [] if scorer is None else [scorer.aclose]
    known = {**MEASURES, **{measure.name: measure for measure in measures}}
    settings, gate = calibrated(settings, has_scorer=scorer is not None, reads_labels=client.gives_logprobs)
    scored_by = None if scorer is None else scorer.name
    tracer = tracer_of(settings, _sources(settings), client, task.same, store, scorer=scored_by, redact=redact)
    parts = Parts(settings, client, task, prompts, scorer, known, tuple(closers), gate, tracer, store)
    parts.check_settings(settings)
    return parts


def _sources(settings: Settings) -> dict[str, Source]:
    """Where the build's settings come from that are not left at their default."""
    sources: dict[str, Source] = {name: "build" for name in Settings.model_fields if name in settings.model_fields_set}
    if settings.calibration is not None:
        sources |= dict.fromkeys(GATE, "calibration")
    return sources


def scorer_folder(settings: Settings) -> Path | None:
    """Where the scorer of the settings is; None where paths are to vote."""
    if settings.scorer == "auto":
        return bundled(BUNDLED_SCORER) if settings.bundled else None
    return None if settings.scorer is None else Path(settings.scorer)


def scorer_of(settings: Settings) -> Scorer | None:
    """The scorer of the settings, in this process or behind its server; None where paths are to vote.

    Raises:
        SettingsError: there is a server for the scorer, and no scorer.
        ModelError: the scorer's folder cannot be used.
    """
    folder = scorer_folder(settings)
    if settings.scorer_url is None:
        return None if folder is None else load_scorer(folder)
    if folder is None:
        raise SettingsError(
            f"scorer_url is {settings.scorer_url!r}, and there is no scorer; set scorer (--scorer) to the folder of "
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
