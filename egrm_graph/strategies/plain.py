"""The strategy `plain`: independent chain-of-thought paths, all from the same prompt; for candidates, in every order.

Source: E-GRM, arXiv:2604.10072.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from egrm_graph.prompting import PromptSource
from egrm_graph.strategies.strategy import Known, PathCall, PathInView


class Plain:
    """Draws every path in a call of its own, in one round."""

    name = "plain"
    independent = True
    prompts: Mapping[str, PromptSource | None] = MappingProxyType({"expand_cot": None})
    variables: Mapping[str, Any] = MappingProxyType({})

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        return [] if known.rounds else known.calls("expand_cot", known.path_views())

    def paths(self, known: Known) -> Sequence[PathInView]:
        return [known.read(call, outcome) for call, outcome in known.drawn]
