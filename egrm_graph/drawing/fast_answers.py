"""Fast answers: samples, or for candidates the probabilities that the model gives their labels.

A reading of the labels' probabilities is what the votes of a view would come to if endlessly many were drawn, for one
token. It counts where most of the probability is on the labels at all (`min_label_mass`): else the model was about to
say something else, and what little is left for the labels says nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from egrm_graph.clients.client import Client, Completion, LabelLogprobs, add_usage, no_usage
from egrm_graph.drawing.calls import Call, Limits, Lost
from egrm_graph.drawing.samples import lost_reasons, seeds
from egrm_graph.drawing.sampling import sampling_of
from egrm_graph.errors import DeadlineReached, EgrmError, SettingsError, Unsupported
from egrm_graph.prompting import Prompts
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.task import View
from egrm_graph.verification import Asked, Reading, Usage

ASKED: Usage = {**no_usage(), "requests": 1}
_FOUND = Completion("", "stop", None)


def fast_calls(
    asked: Asked, views: Sequence[View], prompts: Prompts, settings: RunSettings, *, logprobs: int = 0
) -> list[Call]:
    """A call for each view: its samples share the prompt's prefill; see `Sampling` for `logprobs`."""
    sampling = sampling_of(settings, "fast", logprobs, prompts.stop_of("answer_fast", settings))
    left = seeds(settings.seed, "answer_fast", asked["key"], sum(view.samples for view in views))
    calls: list[Call] = []
    for view in views:
        prompt = prompts.render("answer_fast", view.variables, view.history)
        first = sum(len(call.seeds) for call in calls)
        request_id = f"{asked['run_id']}.answer_fast.{first}"
        calls.append(Call(prompt, sampling, left[first : first + view.samples], request_id))
    return calls


def readable(views: Sequence[View], client: Client, settings: RunSettings) -> bool:
    """Whether the labels' probabilities are to be read.

    Raises:
        SettingsError: the settings ask for it, and the client gives no log-probabilities.
    """
    if settings.label_probabilities == "never" or not any(view.labels for view in views):
        return False
    if client.gives_logprobs and all(view.label_alone for view in views):
        return True
    if settings.label_probabilities == "always":
        raise SettingsError(
            f"label_probabilities='always', and {client.name} gives no probabilities of labels; "
            "set it to 'auto', and fast verdicts are drawn"
        )
    return False


async def read_fast(
    client: Client, calls: Sequence[Call], views: Sequence[View], limits: Limits, settings: RunSettings
) -> tuple[list[Reading], Usage, list[str]]:
    """A reading of each view, what they cost, and why some are lost. Never raises an `EgrmError`.

    There are none at all where the model cannot be asked for these labels, and the settings leave it to that.
    """
    if limits.reached:
        told: Sequence[LabelLogprobs | BaseException] = [DeadlineReached(limits.reached)] * len(calls)
    else:
        told = await _all_told(client, calls, views, limits)
    usage = add_usage(*(each.usage if isinstance(each, LabelLogprobs) else ASKED for each in told))
    if settings.label_probabilities == "auto" and any(isinstance(each, Unsupported) for each in told):
        return [], usage, []
    readings = []
    for call, view, each in zip(calls, views, told, strict=True):
        if isinstance(each, LabelLogprobs):
            readings.append(_reading(call, view, each, settings.min_label_mass))
        elif isinstance(each, EgrmError | TimeoutError):
            readings.append(_lost(call, view, str(each) or "the deadline was reached"))
        else:
            raise each
    lost = [Lost(reading["error"]) for reading in readings if reading["error"] is not None]
    return readings, usage, lost_reasons("readings", [*lost, *([_FOUND] * (len(readings) - len(lost)))])


async def _all_told(
    client: Client, calls: Sequence[Call], views: Sequence[View], limits: Limits
) -> list[LabelLogprobs | BaseException]:
    async def one(call: Call, view: View) -> LabelLogprobs:
        async with asyncio.timeout(limits.seconds_left):
            return await client.label_logprobs(call.prompt, view.labels, request_id=call.request_id)

    tasks = [asyncio.ensure_future(one(call, view)) for call, view in zip(calls, views, strict=True)]
    try:
        return await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()


def _reading(call: Call, view: View, told: LabelLogprobs, least_mass: float) -> Reading:
    mass = told.mass
    if not math.isfinite(mass):
        return _lost(call, view, f"what was given for the labels are no log-probabilities: {dict(told.logprobs)}")
    if mass < least_mass or mass <= 0:
        reason = f"only {mass:.3g} of all probability was on the labels {', '.join(view.labels)} (min_label_mass)"
        return {**_lost(call, view, reason), "mass": mass}
    named = zip(view.labels, view.outcomes, strict=True)
    shares = {outcome: math.exp(told.logprobs[label]) / mass for label, outcome in named}
    return Reading(
        order=list(view.order),
        probabilities=shares,
        mass=min(mass, 1.0),
        samples=view.samples,
        request_id=call.request_id,
        error=None,
    )


def _lost(call: Call, view: View, reason: str) -> Reading:
    return Reading(
        order=list(view.order),
        probabilities=None,
        mass=None,
        samples=view.samples,
        request_id=call.request_id,
        error=reason,
    )
