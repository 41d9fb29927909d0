"""Decides recorded runs again, under other settings, with no model call: by the graph's own nodes.

What would have been drawn, and was not, nobody knows; such a run is `undecided`, with the reason.
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
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.settings import RunSettings, Settings
from egrm_graph.state import Drawn, Expanded, Gated, State
from egrm_graph.tasks.task import Task
from egrm_graph.uncertainty.stopping import Standing, stopping_rule
from egrm_graph.uncertainty.wave_sizes import wave_sizes
from egrm_graph.verification import Route, Status, Verification

CHANGES = ("measure", "threshold", "selection", "contested_share", "min_confidence")
"""What a run can be decided again with; everything else would have drawn something else."""
STOPPED = "drawing stopped after {n} of {planned} fast answers, and under this gate more count; use --stopping all"
NO_PATHS = "it would have reasoned, and no paths were drawn; record with a gate that never opens (--threshold 2)"


@dataclass(frozen=True)
class Decision:
    """What a run comes to."""

    value: float | None
    threshold: float
    route: Route | None
    status: Status | None
    answer: str | None
    winner: int | None
    best_path: int | None
    undecided: str | None = None
    """Why route or answer are not known; None where they are."""
    partial: bool = False
    """Whether more fast answers would have been drawn, which could change neither route nor answer; value and status
    are of those that were."""


def as_recorded(told: Verification) -> Decision:
    """What the run came to when it was recorded."""
    seen = told["uncertainty"]
    return Decision(
        value=seen["value"],
        threshold=seen["threshold"],
        route=told["route"],
        status=told["status"],
        answer=told["answer"],
        winner=told["winner"],
        best_path=told["best_path"],
    )


def decide_again(record: Record, changes: Mapping[str, Any] | None = None) -> Decision:
    """What the run would have come to under `changes` of its settings.

    Raises:
        SettingsError: a change cannot be made, or its value is wrong.
        InputError: the record has no verdict.
    """
    changes = dict(changes or {})
    if other := [name for name in changes if name not in CHANGES]:
        raise SettingsError(f"{', '.join(other)} would have drawn other answers; replay takes {', '.join(CHANGES)}")
    told, asked = record["verification"], record["asked"]
    if told is None or asked is None:
        raise InputError(f"run {record['run_id']} came to no verdict ({record['ending']}); there is nothing to decide")
    run = _run(record, changes)
    n, partial = _drawn_until(record, told, run)
    if n is None:
        return _undecided(run, STOPPED.format(n=len(told["samples"]), planned=told["uncertainty"]["planned"]))
    state = cast(State, {"asked": asked, "drawn": _drawn(record, told, n, run), "expanded": None, "scored": None})
    gated = state["gated"] = check_uncertainty(state, run)["gated"]
    if gated["route"] == "reasoned":
        if (unknown := _not_reasoned(told, gated, partial=partial)) is not None:
            return _undecided(run, unknown, gated)
        state["scored"] = Expanded(
            paths=told["paths"], views=[], view_of=[], usage=no_usage(), ms=0.0, reasons=_reasons(record, after=2)
        )
    with warnings.catch_warnings():  # a replay is no stream of runs that a calibration could be watched on
        warnings.simplefilter("ignore", CalibrationWarning)
        return replace(as_recorded(select_answer(state, run)["verification"]), partial=partial)


def same_answers(record: Record) -> Callable[[str, str], bool]:
    """When two answers of this record are the same."""
    return _run(record, {}).parts.task.same


def _run(record: Record, changes: Mapping[str, Any]) -> Run:
    # Records from before this setting are of runs that withheld nothing by it.
    recorded = {"min_confidence": None, **record["settings"]}
    values = {name: value for name, value in recorded.items() if name in Settings.model_fields}
    values |= {"model": record["model"], "prompts": "auto", "trace_level": "off", "telemetry": "off"}
    fixed = {name: value for name, value in values.items() if name not in RunSettings.model_fields}
    told = record["verification"]
    calibrated = told is not None and told["calibrated"] is True
    parts = _parts(json.dumps(fixed, sort_keys=True), record["scorer"], calibrated=calibrated)
    if not record["texts"]:
        parts = replace(parts, task=cast(Task, _Named(parts.task)))
    of_run = {name: value for name, value in values.items() if name in RunSettings.model_fields}
    settings = parts.settings.overridden({**of_run, **changes})
    parts.measure(settings)
    return Run(parts, settings, lambda _: None, parts.client)


@lru_cache(maxsize=64)
def _parts(fixed: str, scorer: str | None, *, calibrated: bool) -> Parts:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CalibrationWarning)
        settings = Settings(**json.loads(fixed))
        return assemble(settings, _NoClient(settings.model), None if scorer is None else _NoScorer(scorer, calibrated))


def _drawn(record: Record, told: Verification, n: int, run: Run) -> Drawn:
    samples = told["samples"][:n]
    outcomes = [Lost(sample["error"]) if sample["error"] is not None else sample for sample in samples]
    asked = record["asked"]
    assert asked is not None  # checked before
    return Drawn(
        views=run.parts.task.views(asked, run.settings, run.settings.samples),
        samples=samples,
        readings=told["readings"],
        planned=told["uncertainty"]["planned"],
        ahead=None,
        usage=no_usage(),
        ms=0.0,
        reasons=_reasons(record, before=1)
        if told["readings"]
        else lost_reasons(ReasonCode.FAST_ANSWERS_LOST, outcomes),
    )


def _reasons(record: Record, *, after: int = 0, before: int = 4) -> list[Reason]:
    return [
        ReasonCode.RECORDED.reason(text=reason) for node in record["nodes"][after:before] for reason in node["reasons"]
    ]


def _drawn_until(record: Record, told: Verification, run: Run) -> tuple[int | None, bool]:
    """After how many fast answers a run under these settings would have stopped. Where more would have been drawn than
    were: all of them, and True, if they decide; else None. Only the rule `decided` asks what the gate is."""
    n, planned, settings = len(told["samples"]), told["uncertainty"]["planned"], run.settings
    if told["rewards"] is not None or settings.stopping != "decided":
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


def _not_reasoned(told: Verification, gated: Gated, *, partial: bool) -> str | None:
    if told["route"] == "direct":
        return NO_PATHS
    if partial and all(path["answer"] is None for path in told["paths"]):
        return "no path gave an answer, and of the fast answers that would decide more would have been drawn"
    if gated["uncertainty"]["contested"] != told["uncertainty"]["contested"]:
        return "it would have reasoned about other candidates"
    return None


def _undecided(run: Run, why: str, gated: Gated | None = None) -> Decision:
    threshold = run.parts.gate(run.settings).threshold
    value = None if gated is None else gated["uncertainty"]["value"]
    return Decision(value, threshold, None if gated is None else "reasoned", None, None, None, None, undecided=why)


class _Named:
    """A task whose answers go by the names that a record without texts gives them."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def same(self, one: str, other: str) -> bool:
        return one == other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)


class _NoClient:
    """Stands where the model was, and refuses to be asked."""

    gives_logprobs = True

    def __init__(self, name: str) -> None:
        self.name = name

    async def sample(self, *_: Any, **__: Any) -> Completions:
        raise Unsupported("a replay asks no model")

    async def label_logprobs(self, *_: Any, **__: Any) -> LabelLogprobs:
        raise Unsupported("a replay asks no model")

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...


class _NoScorer:
    """Stands where the scorer was: scores are taken from the record."""

    def __init__(self, name: str, calibrated: bool) -> None:
        self.name = name
        self.calibrated = calibrated

    async def score(self, *_: Any, **__: Any) -> list[float | Unscored]:
        raise Unsupported("a replay asks no scorer")

    async def aclose(self) -> None: ...
