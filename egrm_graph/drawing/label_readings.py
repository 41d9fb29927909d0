"""Fast verdicts as readings: the probabilities that the model gives the labels as its next token.

A reading is the limit of the votes in a view if any number were drawn, for the price of one token. It only counts if
most of the probability is on the labels (`min_label_mass`). Otherwise the model was about to say something else, and
the little that is left for the labels means nothing.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from egrm_graph.clients.client import Client, Completion, LabelLogprobs, add_usage, no_usage
from egrm_graph.drawing.calls import Call, Limits, Lost
from egrm_graph.drawing.samples import lost_reasons
from egrm_graph.errors import DeadlineReached, EgrmError, SettingsError, Unsupported
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.settings import RunSettings
from egrm_graph.verification import Reading, Usage, View

ONE_REQUEST: Usage = {**no_usage(), "requests": 1}
_FOUND = Completion("", "stop", None)


def reads_labels(views: Sequence[View], client: Client, settings: RunSettings) -> bool:
    """Whether to read the labels' probabilities.

    Raises:
        SettingsError: the settings ask for it, and the client gives no log-probabilities.
    """
    if settings.label_probabilities == "never" or not any(view["labels"] for view in views):
        return False
    if client.gives_logprobs and all(view["label_alone"] for view in views):
        return True
    if settings.label_probabilities == "always":
        raise SettingsError(
            f"label_probabilities='always', and {client.name} gives no probabilities of labels; "
            "set it to 'auto' to draw fast verdicts"
        )
    return False


async def read_labels(
    client: Client, calls: Sequence[Call], views: Sequence[View], limits: Limits, settings: RunSettings
) -> tuple[list[Reading], Usage, list[Reason]]:
    """A reading of each view, what they cost, and why some are lost. Never raises an `EgrmError`.

    The list is empty if the model cannot be asked for these labels and the settings allow to draw samples instead.
    """
    if limits.reached:
        results: Sequence[LabelLogprobs | BaseException] = [DeadlineReached(limits.reached)] * len(calls)
    else:
        results = await _ask_all(client, calls, views, limits)
    usage = add_usage(*(each.usage if isinstance(each, LabelLogprobs) else ONE_REQUEST for each in results))
    if settings.label_probabilities == "auto" and any(isinstance(each, Unsupported) for each in results):
        return [], usage, []
    readings = []
    for call, view, each in zip(calls, views, results, strict=True):
        if isinstance(each, LabelLogprobs):
            readings.append(_reading(call, view, each, settings.min_label_mass))
        elif isinstance(each, EgrmError | TimeoutError):
            readings.append(_lost(call, view, str(each) or "the deadline was reached"))
        else:
            raise each
    lost = [Lost(reading["error"]) for reading in readings if reading["error"] is not None]
    return readings, usage, lost_reasons(ReasonCode.READINGS_LOST, [*lost, *([_FOUND] * (len(readings) - len(lost)))])


async def _ask_all(
    client: Client, calls: Sequence[Call], views: Sequence[View], limits: Limits
) -> list[LabelLogprobs | BaseException]:
    async def one(call: Call, view: View) -> LabelLogprobs:
        async with asyncio.timeout(limits.seconds_left):
            return await client.label_logprobs(call.prompt, view["labels"], request_id=call.request_id)

    tasks = [asyncio.ensure_future(one(call, view)) for call, view in zip(calls, views, strict=True)]
    try:
        return await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()


def _reading(call: Call, view: View, found: LabelLogprobs, least_mass: float) -> Reading:
    mass = found.mass
    if not math.isfinite(mass):
        return _lost(call, view, f"the labels' numbers are not log-probabilities: {dict(found.logprobs)}")
    if mass < least_mass or mass <= 0:
        reason = f"only {mass:.3g} of all probability was on the labels {', '.join(view['labels'])} (min_label_mass)"
        return {**_lost(call, view, reason), "mass": mass}
    named = zip(view["labels"], view["outcomes"], strict=True)
    shares = {outcome: math.exp(found.logprobs[label]) / mass for label, outcome in named}
    return Reading(
        order=list(view["order"]),
        probabilities=shares,
        mass=min(mass, 1.0),
        samples=view["samples"],
        request_id=call.request_id,
        error=None,
    )


def _lost(call: Call, view: View, reason: str) -> Reading:
    return Reading(
        order=list(view["order"]),
        probabilities=None,
        mass=None,
        samples=view["samples"],
        request_id=call.request_id,
        error=reason,
    )
