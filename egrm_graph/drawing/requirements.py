"""What a measure needs beside the answers: whether it can be had, and whether it came."""

from __future__ import annotations

import math

from egrm_graph.clients.client import Client
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.judging import Judging
from egrm_graph.tasks.pointwise import Pointwise
from egrm_graph.tasks.task import Task
from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import Measure, Need


def why_unmet(measure: Measure, settings: RunSettings, client: Client, task: Task) -> str | None:
    """What the measure needs and cannot get, and what to do about it; None where all is there."""
    if missing := [reason for need in measure.needs if (reason := _missing(need, settings, client, task))]:
        return f"needs {missing[0]}"
    if "readings" in measure.needs and measure.logprobs(settings.top_logprobs):
        return (
            "needs readings of labels and log-probabilities of samples, and a run has either; combine measures that "
            "need the same"
        )
    if settings.threshold is None and not math.isfinite(measure.threshold):
        return "has no threshold that would suit every model; set threshold to one that was calibrated for yours"
    return None


def _missing(need: Need, settings: RunSettings, client: Client, task: Task) -> str | None:
    if need == "orders":
        return None if isinstance(task, Judging) and not isinstance(task, Pointwise) else _no_orders(task)
    if not client.gives_logprobs:
        return f"log-probabilities, and {client.name} gives none; use consensus or vote_entropy, or a vLLM server"
    if need == "readings":
        return _no_readings(settings, client, task)
    if settings.label_probabilities == "always" and isinstance(task, Judging):
        return (
            "the log-probabilities of samples, and label_probabilities='always' draws none; set it to 'auto' or "
            "'never', or use label_entropy or label_margin"
        )
    return None


def _no_orders(task: Task) -> str:
    return (
        f"candidates in several orders, and the task {task.name!r} shows none; use consensus, or a task that compares "
        "candidates"
    )


def _no_readings(settings: RunSettings, client: Client, task: Task) -> str | None:
    if not isinstance(task, Judging):
        return (
            f"probabilities of labels, and the answers of the task {task.name!r} are no labels; use vote_entropy, or a "
            "task that judges candidates"
        )
    if not task.dialect.label_alone:
        return f"probabilities of labels, and {client.name} says more than a label; use vote_entropy, or another model"
    if settings.label_probabilities == "never":
        return "probabilities of labels, and label_probabilities='never' reads none; set it to 'auto' or 'always'"
    return None


def lacking(measure: Measure, evidence: Evidence) -> list[str]:
    """A sentence for each thing that the measure needed, and that was not there. A sample that failed or has no answer
    is told of elsewhere."""
    reasons = []
    answered = [sample for sample in evidence.samples if sample["answer"] is not None]
    for need in measure.needs:
        if need in ("logprobs", "top_logprobs"):
            bare = sum(not sample["logprobs" if need == "logprobs" else "top_logprobs"] for sample in answered)
            if bare:
                reasons.append(
                    f"{bare} of {len(answered)} fast answers came without the log-probabilities that the measure "
                    f"{measure.name} needs"
                )
        elif need == "readings" and evidence.samples:
            reasons.append(f"the labels' probabilities, which the measure {measure.name} needs, could not be read")
    if not reasons and evidence.votes.top is not None and measure.measured(evidence) is None:
        reasons.append(f"the measure {measure.name} has no value for these fast answers")
    return reasons
