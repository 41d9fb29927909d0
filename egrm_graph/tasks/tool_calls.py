"""The task `tool_calls`: which of several next steps of an agent is the right one, given its conversation and tools.

Candidates are AI messages. Equal ones, by name and canonical arguments, are judged once. The setting `tool_votes` says
what the votes are on: whole calls, their names or their arguments only, or, `hierarchical`, first the name and then the
call; `ignored_arguments` are left out of every comparison.
"""

from __future__ import annotations

from typing import Any

from egrm_graph.messages.candidates import Candidate, read_candidates
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.judging import Judging
from egrm_graph.verification import Judged


class ToolCalls(Judging):
    """The right next step."""

    name = "tool_calls"
    converses = True

    def _read_candidates(self, given: Any, settings: RunSettings) -> list[Candidate]:
        votes = settings.tool_votes
        equality = "whole" if votes == "hierarchical" else votes
        return read_candidates(given, equality=equality, ignored=settings.ignored_arguments)

    def _set_up(self, judged: Judged, settings: RunSettings) -> Judged:
        return {**judged, "by_name": settings.tool_votes == "hierarchical"}
