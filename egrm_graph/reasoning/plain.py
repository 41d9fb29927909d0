"""The plain strategy: independent chain-of-thought paths, all of the same prompt or, for candidates, in every order.

Source: E-GRM, arXiv:2604.10072.
"""

from __future__ import annotations

from collections.abc import Sequence

from egrm_graph.clients.client import Sampling
from egrm_graph.clients.drawing import Call
from egrm_graph.reasoning.samples import seeds
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.prompting import Prompts
from egrm_graph.tasks.task import View
from egrm_graph.verification import Asked


def path_calls(
    asked: Asked, views: Sequence[View], prompts: Prompts, settings: RunSettings, *, logprobs: int = 0
) -> list[tuple[Call, View]]:
    """A call for each path, with the view that it is drawn in; see `Sampling` for `logprobs`."""
    sampling = Sampling(
        temperature=settings.path_temperature,
        top_p=settings.path_top_p,
        max_tokens=settings.path_max_tokens,
        logprobs=logprobs,
        stop=prompts.stop_of("expand_cot", settings),
        thinking=settings.path_thinking,
        thinking_tokens=settings.path_thinking_tokens,
    )
    rendered = {id(view): prompts.render("expand_cot", view.variables, view.history) for view in views}
    each = path_views(views)
    return [
        (Call(rendered[id(view)], sampling, (seed,), f"{asked['run_id']}.expand_cot.{i}"), view)
        for i, (seed, view) in enumerate(
            zip(seeds(settings.seed, "expand_cot", asked["key"], len(each)), each, strict=True)
        )
    ]


def path_views(views: Sequence[View]) -> list[View]:
    """The view of each path."""
    return [view for view in views for _ in range(view.samples)]
