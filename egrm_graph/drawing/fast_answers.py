"""The model calls of fast answers."""

from __future__ import annotations

from collections.abc import Sequence

from egrm_graph.drawing.calls import Call
from egrm_graph.drawing.samples import seeds
from egrm_graph.drawing.sampling import sampling_of
from egrm_graph.prompting import FAST_PROMPT, Prompts
from egrm_graph.settings import RunSettings
from egrm_graph.verification import Asked, View


def fast_calls(
    asked: Asked, views: Sequence[View], prompts: Prompts, settings: RunSettings, *, logprobs: int = 0
) -> list[Call]:
    """One call for each view, whose samples share the prompt's prefill; see `Sampling` for `logprobs`."""
    sampling = sampling_of(settings, "fast", logprobs, prompts.stop_of(FAST_PROMPT, settings))
    left = seeds(settings.seed, FAST_PROMPT, asked["key"], sum(view["samples"] for view in views))
    calls: list[Call] = []
    for view in views:
        prompt = prompts.render(FAST_PROMPT, view["variables"], view["history"])
        first = sum(len(call.seeds) for call in calls)
        request_id = f"{asked['run_id']}.{FAST_PROMPT}.{first}"
        calls.append(Call(prompt, sampling, left[first : first + view["samples"]], request_id))
    return calls
