"""The model calls of fast answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from egrm_graph.clients.client import Sampling
from egrm_graph.drawing.calls import Call
from egrm_graph.drawing.samples import seeds
from egrm_graph.drawing.sampling import sampling_of
from egrm_graph.prompting import FAST_PROMPT, Prompts, ReplyShape
from egrm_graph.settings import ReplyForm, RunSettings
from egrm_graph.verification import Asked, View


def fast_calls(
    asked: Asked,
    views: Sequence[View],
    prompts: Prompts,
    settings: RunSettings,
    *,
    form: ReplyForm = "free",
    restricts: bool = False,
    logprobs: int = 0,
) -> list[Call]:
    """One call for each view, whose samples share the prompt's prefill; see `Sampling` for `logprobs`.

    `restricts` says whether the model can be restricted to a pattern: then a started reply ends with its answer.
    """
    plain = sampling_of(settings, "fast", logprobs, prompts.stop_of(FAST_PROMPT, settings))
    left = seeds(settings.seed, FAST_PROMPT, asked["key"], sum(view["samples"] for view in views))
    calls: list[Call] = []
    for view in views:
        reply = ReplyShape() if form == "free" else prompts.reply_of(FAST_PROMPT, view["variables"])
        start = reply.start if form == "continued" else ""
        prompt = prompts.render(FAST_PROMPT, view["variables"], view["history"], start=start)
        sampling = plain
        if start and settings.stop is None:
            sampling = replace(plain, stop=tuple(dict.fromkeys((*plain.stop, *reply.end))))
        if form == "structured" or (start and restricts):
            sampling = _restricted(sampling, reply.rest if start else reply.pattern, view)
        first = sum(len(call.seeds) for call in calls)
        request_id = f"{asked['run_id']}.{FAST_PROMPT}.{first}"
        calls.append(Call(prompt, sampling, left[first : first + view["samples"]], request_id))
    return calls


def _restricted(sampling: Sampling, pattern: str | None, view: View) -> Sampling:
    """Allows only texts of the pattern or, without one, the labels."""
    if pattern is None and view["label_alone"]:
        return replace(sampling, choices=tuple(view["labels"]))
    return replace(sampling, pattern=pattern)
