"""The plain strategy: independent chain-of-thought paths, all of the same prompt or, for candidates, in every order.

Source: E-GRM, arXiv:2604.10072.
"""

from __future__ import annotations

from collections.abc import Sequence

from egrm_graph.drawing.calls import Call
from egrm_graph.drawing.samples import seeds
from egrm_graph.drawing.sampling import sampling_of
from egrm_graph.prompting import Prompts
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.task import View
from egrm_graph.verification import Asked


def path_calls(
    asked: Asked, views: Sequence[View], prompts: Prompts, settings: RunSettings, *, logprobs: int = 0
) -> list[tuple[Call, View]]:
    """A call for each path, with the view that it is drawn in; see `Sampling` for `logprobs`."""
    sampling = sampling_of(settings, "path", logprobs, prompts.stop_of("expand_cot", settings))
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
