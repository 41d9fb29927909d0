"""Decides whether a pair is judged in breadth or in depth."""

from __future__ import annotations

from dataclasses import replace

from egrm_graph.clients.client import Client
from egrm_graph.drawing.calls import Limits, draw
from egrm_graph.fine_tuning.judgment_figures import FITTING
from egrm_graph.reasons import ReasonCode
from egrm_graph.strategies.mixed import Mixed, choice_of
from egrm_graph.strategies.strategy import Round
from egrm_graph.synthesis.synthesis_row import Loss, Style, SynthesisRow


async def choose_structure(client: Client, row: SynthesisRow, style: Style) -> SynthesisRow:
    """The row with its structure: that of the style or, if it is `mixed`, the one that fits the pair's domain. For a
    pair without a domain, the model says whether there is one right answer, as for the strategy `mixed`. It has none if
    the model does not say so."""
    if style != "mixed":
        return replace(row, structure=style)
    if row.pair.domain is not None:
        return replace(row, structure="depth" if FITTING[row.pair.domain] == "depth" else "breadth")
    by_label = row.known.settings.model_copy(update={"mixed_by": "label"})
    known = replace(row.known, settings=by_label)
    while (choice := choice_of(known)) is None:
        calls = Mixed().next_calls(known)
        drawing = await draw(client, [call for call, _ in calls], Limits())
        row = row.after("choice", drawing)
        known = known.after(Round(calls, drawing.outcomes))
    if lost := [reason["text"] for reason in choice.reasons if reason["code"] == ReasonCode.STRUCTURE_LOST]:
        return replace(
            row.losing(Loss("choice", "the model did not say which structure fits", lost[0])), structure=None
        )
    return replace(row, structure=choice.structure)
