"""The strategy `mixed`: judgments in breadth or in depth, whichever fits.

The setting `mixed_by` says who chooses. The model does in each judgment, as a judge trained on both learns to. Or one
reply of the model says, for all judgments of a question, whether there is one verifiably right answer; it is read as
the probability of a label if the client gives that. Or the task says so.

Source: Mix-GRM, arXiv:2603.01571, whose trained judge chooses in each judgment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, cast

from egrm_graph.clients.client import Completion, LabelLogprobs, no_usage
from egrm_graph.drawing.calls import Lost
from egrm_graph.drawing.sampling import sampling_of
from egrm_graph.prompting import PromptSource
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.strategies.breadth import Breadth
from egrm_graph.strategies.depth import Depth
from egrm_graph.strategies.judged_paths import own_prompt, units_form
from egrm_graph.strategies.strategy import Known, PathCall, PathInView
from egrm_graph.tasks.judging import Judging
from egrm_graph.verification import View

MIXED_PROMPT = "expand_cot.mixed"
RIGHT_ANSWER = "right_answer"
LABELS = ("A", "B")
BREADTH, DEPTH = Breadth(), Depth()


class Mixed:
    """Lets the model, a label, or the task choose, and draws the judgments as `breadth` or `depth` does."""

    name = "mixed"
    judges = True
    prompts: Mapping[str, PromptSource | None] = MappingProxyType(
        {**BREADTH.prompts, **DEPTH.prompts, **{name: own_prompt(name) for name in (MIXED_PROMPT, RIGHT_ANSWER)}}
    )
    variables: Mapping[str, Any] = MappingProxyType({**DEPTH.variables, **BREADTH.variables})

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        if known.drawn:
            return []
        if known.settings.mixed_by == "model":
            most = known.settings.principles
            form = units_form(most, may_solve=True)
            return known.calls(MIXED_PROMPT, known.path_views(), form=form, principles=most)
        choice = choice_of(known)
        return [_question(known)] if choice is None else choice.strategy.next_calls(known)

    def paths(self, known: Known) -> Sequence[PathInView]:
        choice = choice_of(known)
        return BREADTH.paths(known) if choice is None else choice.strategy.paths(known)

    def notes(self, known: Known) -> Sequence[Reason]:
        choice = choice_of(known)
        return BREADTH.notes(known) if choice is None else [*choice.reasons, *choice.strategy.notes(known)]


@dataclass(frozen=True)
class StructureChoice:
    """How the candidates of a question are judged, and why."""

    structure: Literal["breadth", "depth"]
    reasons: tuple[Reason, ...] = ()

    @property
    def strategy(self) -> Breadth | Depth:
        return DEPTH if self.structure == "depth" else BREADTH


def choice_of(known: Known) -> StructureChoice | None:
    """The choice for all judgments; None if each makes its own, or before it is there."""
    by, earlier = known.settings.mixed_by, [path.get("judgment") for path in known.scored]
    if by == "task":
        return _by_task(known) if not known.scored else replace(_by_task(known), reasons=())
    if by == "model":
        return None
    if any(earlier):
        solved = any(judgment is not None and judgment["solution"] is not None for judgment in earlier)
        return StructureChoice("depth" if solved else "breadth")
    outcome = known.outcome_of(RIGHT_ANSWER)
    return None if outcome is None else _by_reply(known, outcome)


def _by_task(known: Known) -> StructureChoice:
    if _task(known).one_right_answer:
        return _chosen("depth", f"the task {known.task.name} has one right answer")
    if known.asked["reference"] is not None:
        return _chosen("depth", "the input has a reference")
    return _chosen("breadth", f"the task {known.task.name} may have no right answer, and the input has no reference")


def _by_reply(known: Known, outcome: Completion | Lost) -> StructureChoice | None:
    """The choice that the model's reply makes; None if it has to reply in words."""
    if isinstance(outcome, Lost):
        return _lost(outcome.reason)
    if _is_reading(outcome):
        [logprobs] = outcome.top_logprobs or ({},)
        mass = LabelLogprobs(logprobs, no_usage()).mass
        if not (math.isfinite(mass) and mass > 0 and mass >= known.settings.min_label_mass):
            return None
        share = math.exp(logprobs[LABELS[0]]) / mass
        return _said("depth" if share > 0.5 else "breadth", f", with a probability of {max(share, 1 - share):.2f}")
    complete = outcome.finish_reason == "stop"
    read = known.task.read(outcome.text, _view(known), fast=True, complete=complete)
    if read is None:
        return _lost("the model's reply is neither of the labels")
    return _said(cast('Literal["breadth", "depth"]', read), "")


def _is_reading(outcome: Completion) -> bool:
    """Whether labels were read, rather than a reply sampled."""
    return outcome.top_logprobs is not None and outcome.logprobs is None


def _said(structure: Literal["breadth", "depth"], how_sure: str) -> StructureChoice:
    count = "one" if structure == "depth" else "not one"
    return _chosen(structure, f"the model says that there is {count} verifiably right answer{how_sure}")


def _chosen(structure: Literal["breadth", "depth"], cause: str) -> StructureChoice:
    return StructureChoice(structure, (ReasonCode.STRUCTURE_CHOSEN.reason(structure=structure, cause=cause),))


def _lost(cause: str) -> StructureChoice:
    return StructureChoice("breadth", (ReasonCode.STRUCTURE_LOST.reason(cause=cause),))


def _question(known: Known) -> PathCall:
    """The call that asks for the label: as probabilities if it has not been tried, and they may be read."""
    settings = known.settings
    reads = settings.label_probabilities != "never" and known.outcome_of(RIGHT_ANSWER) is None
    stop = known.prompts.stop_of(RIGHT_ANSWER, settings)
    sampling = replace(sampling_of(settings, "fast", stop=stop), temperature=0.0)
    return known.aside(RIGHT_ANSWER, _view(known), sampling=sampling, labels=LABELS if reads else ())


def _view(known: Known) -> View:
    return _task(known).context_view(known.asked, LABELS, ("depth", "breadth"))


def _task(known: Known) -> Judging:
    assert isinstance(known.task, Judging)
    return known.task
