"""Path strategies, by name."""

from __future__ import annotations

from collections.abc import Mapping

from egrm_graph.strategies.breadth import Breadth
from egrm_graph.strategies.depth import Depth
from egrm_graph.strategies.divergent import Divergent
from egrm_graph.strategies.entropy_tree import EntropyTree
from egrm_graph.strategies.mixed import Mixed
from egrm_graph.strategies.plain import Plain
from egrm_graph.strategies.strategy import PathStrategy

STRATEGIES: Mapping[str, PathStrategy] = {
    strategy.name: strategy for strategy in (Plain(), EntropyTree(), Breadth(), Depth(), Mixed(), Divergent())
}
"""The built-in strategies."""
