"""The strategy `breadth`: judgments of candidates by several principles, each with a sub-verdict.

Source: Breadth-CoT of Mix-GRM, arXiv:2603.01571.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from egrm_graph.prompting import PromptSource
from egrm_graph.reasons import Reason
from egrm_graph.strategies.judged_paths import lost_units, own_prompt, units_form
from egrm_graph.strategies.strategy import Known, PathCall, PathInView

BREADTH_PROMPT = "expand_cot.breadth"


class Breadth:
    """Draws every judgment in a call of its own, in one round."""

    name = "breadth"
    judges = True
    independent = True
    prompts: Mapping[str, PromptSource | None] = MappingProxyType({BREADTH_PROMPT: own_prompt(BREADTH_PROMPT)})
    variables: Mapping[str, Any] = MappingProxyType({"principles": 5})

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        if known.drawn:
            return []
        most = known.settings.principles
        return known.calls(BREADTH_PROMPT, known.path_views(), form=units_form(most), principles=most)

    def paths(self, known: Known) -> Sequence[PathInView]:
        return [known.read(call, outcome) for call, outcome in known.drawn]

    def notes(self, known: Known) -> Sequence[Reason]:
        return lost_units(self.paths(known))
