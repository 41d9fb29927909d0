"""What all of these share: the graph that they call, and the rewards in its verification."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from langgraph.graph.state import CompiledStateGraph

from egrm_graph.errors import OF_ONE_ITEM, SettingsError
from egrm_graph.graph import build_graph
from egrm_graph.settings import RunSettings, Settings
from egrm_graph.state import Input, Output, State
from egrm_graph.verification import Verification

Graph: TypeAlias = CompiledStateGraph[State, RunSettings, Input, Output]


def built(graph: Graph | Settings) -> Graph:
    """The graph itself, or the one that the settings describe.

    Raises:
        SetupError: the settings do not fit together, or a model cannot be loaded.
    """
    return build_graph(graph) if isinstance(graph, Settings) else graph


def outcome_of(graph: Graph, given: Callable[[], Any]) -> Verification | Exception:
    """The verification of what is given, or what was wrong with this one item."""
    try:
        verification: Verification = graph.invoke(given())["verification"]
        return verification
    except OF_ONE_ITEM as error:
        return error


async def async_outcome_of(graph: Graph, given: Callable[[], Any]) -> Verification | Exception:
    """The same in an async run."""
    try:
        verification: Verification = (await graph.ainvoke(given()))["verification"]
        return verification
    except OF_ONE_ITEM as error:
        return error


def rewards_of(verification: Verification) -> list[tuple[float | None, str | None]]:
    """For each candidate its reward, or None and the reason.

    Raises:
        SettingsError: the graph answers questions, and judges nothing.
    """
    rewards, unrewarded = verification["rewards"], verification["unrewarded"]
    if rewards is None or unrewarded is None:
        raise SettingsError(
            "the graph answers questions and judges no candidates; build it with task='pointwise', or with "
            "'pairwise', 'best_of_n' or 'tool_calls' to compare several"
        )
    pairs = zip(rewards, unrewarded, strict=True)
    return [(reward, None if why is None else _reason(why, verification["reasons"])) for reward, why in pairs]


def _reason(why: str, reasons: list[str]) -> str:
    """Why a candidate has no reward, and where that says too little, what went wrong in the run."""
    told = "; ".join(reasons)
    return why if not told or why in told else f"{why}: {told}"
