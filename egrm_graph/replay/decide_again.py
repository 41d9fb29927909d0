"""Decide recorded runs again under other settings, with the graph's own nodes and without a model call.

A run that needs answers that were not drawn is `undecided`, with the reason.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate
from typing import Any, cast

from egrm_graph.calibration.gate_calibration import CalibrationWarning
from egrm_graph.clients.client import Completions, LabelLogprobs, no_usage
from egrm_graph.context import Run
from egrm_graph.drawing.calls import Lost
from egrm_graph.drawing.samples import lost_reasons
from egrm_graph.errors import InputError, SettingsError, Unsupported
from egrm_graph.nodes.check_uncertainty import check_uncertainty
from egrm_graph.nodes.select_answer import select_answer
from egrm_graph.parts import Parts, assemble
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.records.record import Record
from egrm_graph.replay.recorded_paths import PATH_CHANGES, path_reasons, paths_drawn
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.settings import RunSettings, Settings
from egrm_graph.state import Drawn, Gated, Scored, State
from egrm_graph.tasks.task import Task
from egrm_graph.uncertainty.stopping import Standing, stopping_rule
from egrm_graph.uncertainty.wave_sizes import wave_sizes
from egrm_graph.verification import Route, Status, Verification

CHANGES = ("measure", "threshold", "selection", "contested_share", "min_confidence", *PATH_CHANGES)
"""The settings that can change. Any other change would have drawn other answers."""
STOPPED = "drawing stopped after {n} of {planned} fast answers, but this gate needs more; record with --stopping all"
STAGES = ("answer_fast", "check_uncertainty", "expand_cot", "score_paths")
NO_PATHS = "it would have reasoned, but no paths were drawn; record with a gate that never opens (--threshold 2)"
NO_PROBABILITIES = (
    "path_stopping='posterior' needs scores that are probabilities, and these are not known to be; replay with another "
    "rule, or record with a calibrated scorer and --path-stopping posterior"
)


@dataclass(frozen=True)
class ReplayDecision:
    """The outcome of a run."""

    value: float | None
    threshold: float
    route: Route | None
    status: Status | None
    answer: str | None
    winner: int | None
    best_path: int | None
    undecided: str | None = None
    """Why the route or the answer is unknown. None if both are known."""
    partial: bool = False
    """Whether the run would have drawn more fast answers that can change neither route nor answer. Value and status are
    those of the drawn answers."""


def as_recorded(verification: Verification) -> ReplayDecision:
    """The recorded outcome of a run."""
    seen = verification["uncertainty"]
    return ReplayDecision(
        value=seen["value"],
        threshold=seen["threshold"],
        route=verification["route"],
        status=verification["status"],
        answer=verification["answer"],
        winner=verification["winner"],
        best_path=verification["best_path"],
    )


def decide_again(record: Record, changes: Mapping[str, Any] | None = None) -> ReplayDecision:
    """Compute the outcome of the run under `changes` to its settings.

    Raises:
        SettingsError: A setting cannot change, or its value is invalid.
        InputError: The record has no verdict.
    """
    changes = dict(changes or {})
    if other := [name for name in changes if name not in CHANGES]:
        raise SettingsError(
            f"a replay cannot change {', '.join(other)}, which affects what is drawn; change {', '.join(CHANGES)}"
        )
    verification, asked = record["verification"], record["asked"]
    if verification is None or asked is None:
        raise InputError(f"run {record['run_id']} has no verdict ({record['ending']}), so it cannot be decided again")
    run = _run(record, changes)
    n, partial = _drawn_until(record, verification, run)
    if n is None:
        return _undecided(
            run, STOPPED.format(n=len(verification["samples"]), planned=verification["uncertainty"]["planned"])
        )
    state = cast(State, {"asked": asked, "drawn": _drawn(record, verification, n), "expanded": None, "scored": None})
    gated = state["gated"] = check_uncertainty(state, run)["gated"]
    if gated["route"] == "reasoned":
        scored = _scored(record, verification, gated, changes, run)
        if not isinstance(scored, str) and partial and all(path["answer"] is None for path in scored["paths"]):
            scored = "no path gave an answer, so the fast answers decide, and more of them would have been drawn"
        if isinstance(scored, str):
            return _undecided(run, scored, gated)
        state["scored"] = scored
    with warnings.catch_warnings():  # a replay is not a stream of runs to monitor the calibration on
        warnings.simplefilter("ignore", CalibrationWarning)
        return replace(as_recorded(select_answer(state, run)["verification"]), partial=partial)


def same_answers(record: Record) -> Callable[[str, str], bool]:
    """The function that compares two answers of this record."""
    return _run(record, {}).parts.task.same


def _run(record: Record, changes: Mapping[str, Any]) -> Run:
    recorded = _recorded(record)
    values = {name: value for name, value in recorded.items() if name in Settings.model_fields}
    values |= {"model": record["model"], "prompts": "auto", "trace_level": "off", "telemetry": "off"}
    fixed = {name: value for name, value in values.items() if name not in RunSettings.model_fields}
    verification = record["verification"]
    calibrated = verification is not None and verification["calibrated"] is True
    parts = _parts(json.dumps(fixed, sort_keys=True), record["scorer"], calibrated=calibrated)
    if not record["texts"]:
        parts = replace(parts, task=cast(Task, _NamedAnswers(parts.task)))
    of_run = {name: value for name, value in values.items() if name in RunSettings.model_fields}
    if "measure" in changes:  # its own threshold applies, unless the run had one
        of_run["threshold"] = record["settings"]["threshold"]
    of_run |= {"steps": "none", "aggregation": "auto"}  # the record has the scores of the paths
    settings = parts.settings.overridden({**of_run, **changes})
    parts.measure(settings)
    return Run(parts, settings, lambda _: None, parts.client)


@lru_cache(maxsize=64)
def _parts(fixed: str, scorer: str | None, *, calibrated: bool) -> Parts:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CalibrationWarning)
        settings = Settings(**json.loads(fixed))
        scored = None if scorer is None else _NoScorer(scorer, calibrated)
        return assemble(settings, _NoClient(settings.model), scored, tree_scorer=None)


def _drawn(record: Record, verification: Verification, n: int) -> Drawn:
    samples = verification["samples"][:n]
    outcomes = [Lost(sample["error"]) if sample["error"] is not None else sample for sample in samples]
    return Drawn(
        views=[],
        samples=samples,
        readings=verification["readings"],
        planned=verification["uncertainty"]["planned"],
        ahead=None,
        usage=no_usage(),
        ms=0.0,
        reasons=_reasons(record, "answer_fast")
        if verification["readings"]
        else lost_reasons(ReasonCode.FAST_ANSWERS_LOST, outcomes),
    )


def _reasons(record: Record, *nodes: str) -> list[Reason]:
    """The reasons of these nodes, with their codes, if the record has them: the verdict repeats those of all nodes."""
    found = [
        (name, text) for name in STAGES for node in record["nodes"] if node["name"] == name for text in node["reasons"]
    ]
    verification = record["verification"]
    codes = [] if verification is None else verification.get("reason_codes", [])[: len(found)]
    if verification is None or verification["reasons"][: len(codes)] != [text for _, text in found]:
        codes = [ReasonCode.RECORDED] * len(found)
    return [Reason(code=str(code), text=text) for (name, text), code in zip(found, codes, strict=True) if name in nodes]


def _recorded(record: Record) -> dict[str, Any]:
    """The settings of the run. Before these settings existed, no answers were withheld, all paths were drawn, and
    only their scores counted; and a measure's own threshold may have been another one."""
    settings = {"min_confidence": None, "path_stopping": "all", "leaf_prior": 0.0, **record["settings"]}
    verification = record["verification"]
    if settings["threshold"] is None and verification is not None:
        settings["threshold"] = verification["uncertainty"]["threshold"]
    return settings


def _drawn_until(record: Record, verification: Verification, run: Run) -> tuple[int | None, bool]:
    """The number of fast answers after which a run under these settings stops, and whether that is only a part.

    If the run would have drawn more than were recorded, returns all of them and True if they decide, or None if they do
    not. Only the stopping rule `decided` depends on the gate.
    """
    n, planned, settings = len(verification["samples"]), verification["uncertainty"]["planned"], run.settings
    if verification["rewards"] is not None or settings.stopping != "decided":
        return n, False
    rule = stopping_rule("decided", run.parts.gate(settings))
    asked = range(1, planned + 1) if settings.single_requests else accumulate(wave_sizes(rule, planned, settings.waves))
    for end in asked:
        if end > n:
            decided = rule(Standing(tuple(record["classes"]), planned))
            return (n, True) if decided else (None, False)
        if rule(Standing(tuple(record["classes"][:end]), planned)):
            return end, False
    return n, False


def _scored(
    record: Record, verification: Verification, gated: Gated, changes: Mapping[str, Any], run: Run
) -> Scored | str:
    """The scored paths of the run, or why they are unknown."""
    contested = gated["uncertainty"]["contested"]
    if verification["route"] == "direct":
        return NO_PATHS
    if contested != verification["uncertainty"]["contested"]:
        return "it would have reasoned about other candidates"
    paths, reasons = verification["paths"], _reasons(record, "expand_cot", "score_paths")
    recorded = _recorded(record)
    if any(name in changes and changes[name] != recorded.get(name) for name in PATH_CHANGES):
        if run.settings.path_stopping in ("posterior", "auto"):
            if _probabilities(record, verification):
                run = replace(run, parts=replace(run.parts, scorer=_NoScorer(run.parts.client.name, calibrated=True)))
            elif run.settings.path_stopping == "posterior":
                return NO_PROBABILITIES
        assert record["asked"] is not None  # it has a verdict
        drawn = paths_drawn(paths, record["asked"], contested, run)
        if isinstance(drawn, str):
            return drawn
        paths, reasons = drawn, path_reasons(drawn, has_scorer=run.parts.scorer is not None)
    return Scored(paths=paths, enough=True, usage=no_usage(), ms=0.0, reasons=reasons)


def _probabilities(record: Record, verification: Verification) -> bool:
    """Whether the scores are known to be probabilities. The record of a judgment says so only if it stopped by them."""
    if record["scorer"] is None:
        return False
    unscored = all(path["score"] is None for path in verification["paths"])
    return unscored or verification["calibrated"] is True or _recorded(record)["path_stopping"] == "posterior"


def _undecided(run: Run, reason: str, gated: Gated | None = None) -> ReplayDecision:
    threshold = run.parts.gate(run.settings).threshold
    value = None if gated is None else gated["uncertainty"]["value"]
    return ReplayDecision(
        value, threshold, None if gated is None else "reasoned", None, None, None, None, undecided=reason
    )


class _NamedAnswers:
    """A task that compares answers by the names they have in a record without texts."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def same(self, one: str, other: str) -> bool:
        return one == other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)


class _NoClient:
    """Replaces the model and refuses every call."""

    gives_logprobs = True

    def __init__(self, name: str) -> None:
        self.name = name

    async def sample(self, *_: Any, **__: Any) -> Completions:
        raise Unsupported("a replay calls no model")

    async def label_logprobs(self, *_: Any, **__: Any) -> LabelLogprobs:
        raise Unsupported("a replay calls no model")

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...


class _NoScorer:
    """Replaces the scorer. The scores are in the record."""

    def __init__(self, name: str, calibrated: bool) -> None:
        self.name = name
        self.calibrated = calibrated

    async def score(self, *_: Any, **__: Any) -> list[float | Unscored]:
        raise Unsupported("a replay calls no scorer")

    async def aclose(self) -> None: ...
