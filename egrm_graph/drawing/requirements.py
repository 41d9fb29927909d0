"""What a measure needs in addition to the answers: whether it is available, and whether it arrived."""

from __future__ import annotations

import math

from egrm_graph.clients.client import Client
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.task import Task
from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import Measure, Requirement


def unmet_need(measure: Measure, settings: RunSettings, client: Client, task: Task) -> str | None:
    """What the measure needs and cannot get, and what to do about it; None if nothing is missing."""
    if missing := [
        problem for requirement in measure.requires if (problem := _missing(requirement, settings, client, task))
    ]:
        return f"needs {missing[0]}"
    if "readings" in measure.requires and measure.logprobs(settings.top_logprobs):
        return (
            "needs both readings of labels and log-probabilities of samples, and a run has only one of them; combine "
            "measures that need the same"
        )
    if settings.threshold is None and not math.isfinite(measure.threshold):
        return "has no threshold that suits every model; set threshold to one that was calibrated for yours"
    return None


def _missing(requirement: Requirement, settings: RunSettings, client: Client, task: Task) -> str | None:
    if requirement == "orders":
        return None if "orders" in task.provides else _no_orders(task)
    if not client.gives_logprobs:
        return f"log-probabilities, and {client.name} gives none; use consensus or vote_entropy, or a vLLM server"
    if requirement == "readings":
        return _no_readings(settings, client, task)
    if settings.label_probabilities == "always" and "readings" in task.provides:
        return (
            "the log-probabilities of samples, and label_probabilities='always' draws none; set it to 'auto' or "
            "'never', or use label_entropy or label_margin"
        )
    return None


def _no_orders(task: Task) -> str:
    return (
        f"candidates in several orders, and the task {task.name!r} does not show any; use consensus, or a task that "
        "compares candidates"
    )


def _no_readings(settings: RunSettings, client: Client, task: Task) -> str | None:
    if "readings" not in task.provides:
        return (
            f"probabilities of labels, and fast answers of {client.name} to the task {task.name!r} are not single "
            "labels; use vote_entropy, another model, or a task that judges candidates"
        )
    if settings.label_probabilities == "never":
        return "probabilities of labels, and label_probabilities='never' reads none; set it to 'auto' or 'always'"
    return None


def unmet_reasons(measure: Measure, evidence: Evidence) -> list[Reason]:
    """A reason for each thing that the measure needed and did not get. Samples that failed or have no answer are
    reported elsewhere."""
    causes = []
    answered = [sample for sample in evidence.samples if sample["answer"] is not None]
    for requirement in measure.requires:
        if requirement in ("logprobs", "top_logprobs"):
            without = sum(
                not sample["logprobs" if requirement == "logprobs" else "top_logprobs"] for sample in answered
            )
            if without:
                causes.append(
                    f"{without} of {len(answered)} fast answers came without the log-probabilities that the measure "
                    f"{measure.name} needs"
                )
        elif requirement == "readings" and evidence.samples:
            causes.append(f"the labels' probabilities, which the measure {measure.name} needs, could not be read")
    if not causes and evidence.votes.top is not None and measure.measured(evidence) is None:
        causes.append(f"the measure {measure.name} has no value for these fast answers")
    return [ReasonCode.MEASURE_UNMET.reason(cause=cause) for cause in causes]
