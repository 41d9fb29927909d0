"""The strategy `depth`: the task is solved first, and the candidates are judged by few principles against the solution.

One call solves the task, without the candidates, for all judgments of a question: it stands before the candidates in
their prompts, so all orders share it in a server's cache. If it is lost, they are judged without a solution.

Source: Depth-CoT of Mix-GRM, arXiv:2603.01571. Differs: its judge writes the solution in each judgment, as a judge
trained for that does here, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from egrm_graph.answers.thinking import spoken
from egrm_graph.clients.client import Completion
from egrm_graph.drawing.calls import Lost
from egrm_graph.messages.fencing import fence
from egrm_graph.prompting import PromptSource
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.strategies.judged_paths import lost_units, own_prompt, units_form
from egrm_graph.strategies.strategy import Known, PathCall, PathInView
from egrm_graph.tasks.judging import Judging
from egrm_graph.verification import Path

SOLVE = "solve"
DEPTH_PROMPT = "expand_cot.depth"
MOST_PRINCIPLES = 3
"""As published."""


class Depth:
    """Solves the task in the first round, and draws the judgments in the second one."""

    name = "depth"
    judges = True
    prompts: Mapping[str, PromptSource | None] = MappingProxyType(
        {name: own_prompt(name) for name in (SOLVE, DEPTH_PROMPT)}
    )
    variables: Mapping[str, Any] = MappingProxyType({"principles": MOST_PRINCIPLES, "solution": ""})

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        if known.drawn:
            return []
        if (solved := solution_of(known)) is None:
            return [known.aside(SOLVE, _task(known).context_view(known.asked))]
        most = min(MOST_PRINCIPLES, known.settings.principles)
        solution = "" if solved.text is None else fence("solution", solved.text, _code(known))
        return known.calls(DEPTH_PROMPT, known.path_views(), form=units_form(most), principles=most, solution=solution)

    def paths(self, known: Known) -> Sequence[PathInView]:
        solved = solution_of(known)
        drawn = (known.read(call, outcome) for call, outcome in known.drawn)
        return [PathInView(_against(path, solved), view) for path, view in drawn]

    def notes(self, known: Known) -> Sequence[Reason]:
        solved = solution_of(known)
        lost = [] if solved is None or solved.lost is None else [ReasonCode.SOLUTION_LOST.reason(cause=solved.lost)]
        return [*lost, *lost_units(self.paths(known))]


@dataclass(frozen=True)
class Solution:
    """What the model worked out without the candidates."""

    text: str | None
    """None without a solution."""
    lost: str | None = None
    """Why a solution was lost."""


def solution_of(known: Known) -> Solution | None:
    """The solution that the judgments of this wave share, also with those of earlier waves; None before it is there."""
    if _task(known).format.solves_itself:
        return Solution(None)
    if earlier := [judgment["solution"] for path in known.scored if (judgment := path.get("judgment")) is not None]:
        return Solution(next((text for text in earlier if text is not None), None))
    outcome = known.outcome_of(SOLVE)
    return None if outcome is None else _read(outcome, _code(known))


def _read(outcome: Completion | Lost, code: str) -> Solution:
    if isinstance(outcome, Lost):
        return Solution(None, outcome.reason)
    said = spoken(outcome.text)
    if said is None or not said.text.strip():
        return Solution(None, "the model gave no text, or only its thinking")
    if outcome.finish_reason != "stop" and not said.ended:
        return Solution(None, f"it was cut after {outcome.n_tokens} tokens (path_max_tokens)")
    if code in said.text:
        return Solution(None, "it contains the code that signs verdicts")
    return Solution(said.text.strip())


def _against(path: Path, solved: Solution | None) -> Path:
    """The path, with the solution that its candidates were judged against."""
    judgment = path.get("judgment")
    if judgment is None or solved is None or solved.text is None:
        return path
    changed = path.copy()
    changed["judgment"] = {**judgment, "structure": "depth", "solution": solved.text}
    return changed


def _task(known: Known) -> Judging:
    assert isinstance(known.task, Judging)
    return known.task


def _code(known: Known) -> str:
    return known.views[0]["code"]
