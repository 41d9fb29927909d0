"""Draws fast answers and paths for one question with the nodes of the graph, whatever its gate decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from egrm_graph.context import Run
from egrm_graph.nodes.answer_fast import answer_fast
from egrm_graph.nodes.check_uncertainty import check_uncertainty
from egrm_graph.nodes.expand_cot import expand_cot
from egrm_graph.nodes.score_paths import score_paths, sufficiency
from egrm_graph.parts import Parts
from egrm_graph.state import Drawn, Expanded, State
from egrm_graph.verification import Path


class FastDraw(NamedTuple):
    """The fast answers of a question, and what the gate makes of them."""

    state: State
    drawn: Drawn
    certain: bool
    """Whether the gate would answer directly."""
    answer: str | None
    """The most frequent answer."""


class PathsDraw(NamedTuple):
    """The scored paths of a question."""

    paths: list[Path]
    expanded: Expanded


async def draw_fast(parts: Parts, inputs: Mapping[str, Any]) -> FastDraw:
    """The fast answers of a question. `inputs` is the input of the graph.

    Raises:
        InputError: the question cannot be asked.
    """
    state = cast(State, dict(inputs))
    run = _run(parts)
    state.update(cast(State, await answer_fast(state, run)))
    state.update(cast(State, check_uncertainty(state, run)))
    gated = state["gated"]
    votes = gated["uncertainty"]["votes"]
    return FastDraw(state, state["drawn"], gated["route"] == "direct", votes[0]["answer"] if votes else None)


async def draw_and_score(parts: Parts, fast: FastDraw) -> PathsDraw:
    """The paths of the question that these fast answers were drawn for."""
    state, run = fast.state, _run(parts)
    while True:
        state.update(cast(State, await expand_cot(state, run)))
        state.update(cast(State, await score_paths(state, run)))
        expanded, scored = state.get("expanded"), state.get("scored")
        assert expanded is not None  # the nodes have just written both
        assert scored is not None
        if sufficiency(state) == "enough":
            return PathsDraw(scored["paths"], {**expanded, "reasons": [*expanded["reasons"], *scored["reasons"]]})


def _run(parts: Parts) -> Run:
    return Run(parts, parts.settings, lambda _: None, parts.client)
