"""The task `tool_calls`: which of several next steps of an agent is right, given its conversation and tools.

Candidates are AI messages. Those with equal names and canonical arguments are judged once. The setting `tool_votes`
says what the votes are on: full calls, only their names, only their arguments, or, with `hierarchical`, first the name
and then the call. No comparison considers `ignored_arguments`.
"""

from __future__ import annotations

from typing import Any

from egrm_graph.deciding.candidate_decision import DRAW_MARGIN, Weighed, choose_candidate
from egrm_graph.deciding.decision import Decision
from egrm_graph.deciding.outcomes import outcome_names
from egrm_graph.deciding.rewards import Shares
from egrm_graph.messages.candidates import Candidate, read_candidates
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.judging import Judging
from egrm_graph.verification import Judged


class ToolCallsTask(Judging):
    """The right next step."""

    name = "tool_calls"
    converses = True
    one_right_answer = True

    def choose(self, judged: Judged, weighed: Weighed, settings: RunSettings) -> Decision:
        by_name = settings.tool_votes == "hierarchical"
        return choose_candidate(judged, weighed, ranked=_of_winning_tools(judged, weighed.shares) if by_name else None)

    def _read_candidates(self, given: Any, settings: RunSettings) -> list[Candidate]:
        votes = settings.tool_votes
        equality = "whole" if votes == "hierarchical" else votes
        return read_candidates(given, equality=equality, ignored=settings.ignored_arguments)


def _of_winning_tools(judged: Judged, shares: Shares) -> Shares:
    """The shares of the candidates that call the tools with the largest total share."""
    names = outcome_names(judged)
    called = {names[i]: tuple(judged["calls"][i]) for i in judged["items"]}
    totals: dict[tuple[str, ...], float] = {}
    for name, share in shares.items():
        totals[called[name]] = totals.get(called[name], 0.0) + share
    most = max(totals.values())
    return {name: share for name, share in shares.items() if most - totals[called[name]] < DRAW_MARGIN}
