"""A pair, and what the stages of the synthesis have made of it so far. Each stage is a function from row to row.

All texts and labels of a row belong to one order of the candidates, because a judgment speaks of "candidate A".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from egrm_graph.clients.client import add_usage, no_usage
from egrm_graph.drawing.calls import Drawing, Lost
from egrm_graph.errors import InputError
from egrm_graph.fine_tuning.judge_prompts import known_of
from egrm_graph.fine_tuning.judged_pairs import JudgedPair
from egrm_graph.judgments.judgment import Judgment, Unit
from egrm_graph.parts import Parts
from egrm_graph.strategies.strategy import Known
from egrm_graph.tasks.judging import Judging
from egrm_graph.verification import Structure, Usage, View

Style = Literal["breadth", "depth", "mixed"]
"""Which judgments are made: all in breadth, all in depth, or whichever fits the pair."""
CallStage = Literal["rationales", "units", "choice", "groups", "solution", "depth"]
"""The stages that ask the model."""
JudgmentStage = Literal["raw", "units", "merged", "depth", "row"]
"""The stages whose judgments are measured."""


@dataclass(frozen=True)
class Rationale:
    """A judgment as the model wrote it, without its last line."""

    text: str
    verdict: str
    """A label."""


@dataclass(frozen=True)
class Loss:
    """Something that a stage dropped or could not get."""

    stage: CallStage | Literal["merged", "row"]
    cause: str
    """The same text for the same kind of loss."""
    detail: str = ""


@dataclass(frozen=True)
class StageJudgment:
    """A judgment of one stage, to be measured."""

    stage: JudgmentStage
    verdict: str | None
    """The outcome; None if it has none or none could be read."""
    characters: int
    """Of everything that the model wrote for it, or of the text that was made from other texts."""
    tokens: int | None
    """The same in tokens; None if no model wrote it in one call, or the model does not report tokens."""
    principles: int | None = None
    """How many it has; None before it has units."""
    structure: Structure | None = None
    consistent: bool | None = None
    """Whether the majority of the sub-verdicts is the verdict."""


@dataclass(frozen=True)
class SynthesisRow:
    """A pair in one order of its candidates."""

    pair: JudgedPair
    known: Known
    """What strategies know of the pair, with a single view."""
    rationales: tuple[Rationale, ...] = ()
    units: tuple[tuple[Unit, ...], ...] = ()
    """Those of each rationale."""
    groups: tuple[tuple[int, ...], ...] = ()
    """Units with the same principle, by their places among the units of all rationales."""
    merged: Judgment | None = None
    counts: tuple[int, ...] = ()
    """How many units each unit of the merged judgment was made of."""
    structure: Literal["breadth", "depth"] | None = None
    """The structure that the pair gets; None if it is not known."""
    solution: str | None = None
    judgment: Judgment | None = None
    """The judgment to learn; None if there is none."""
    losses: tuple[Loss, ...] = ()
    judged: tuple[StageJudgment, ...] = ()
    usage: Mapping[CallStage, Usage] = field(default_factory=dict)
    failed_calls: int = 0
    """Calls that brought nothing, such as when the server was gone."""

    @classmethod
    def of(cls, parts: Parts, pair: JudgedPair, number: int) -> Self:
        """The row of a pair before all stages. Its candidates appear in the task's first order if its `number` in the
        file is even, in the next one otherwise. The first order follows from the texts, so a pattern in the file is
        not learned.

        Raises:
            InputError: the task cannot judge the pair, or there is nothing to compare.
        """
        known = known_of(parts, pair)
        if not known.views:
            raise InputError("the candidates are equal, or the judge cannot be shown two of them; leave out the pair")
        view = known.views[number % len(known.views)]
        if pair.reference not in view["outcomes"]:
            raise InputError(
                f"reference={pair.reference!r} names a candidate that is equal to another one; leave out the pair"
            )
        return cls(pair, replace(known, views=[{**view, "samples": 1}]))

    @property
    def view(self) -> View:
        return self.known.views[0]

    @property
    def task(self) -> Judging:
        assert isinstance(self.known.task, Judging)
        return self.known.task

    @property
    def candidate_labels(self) -> Sequence[str]:
        """The labels of the candidates, without that of a tie."""
        return self.view["labels"][: len(self.view["order"])]

    @property
    def label(self) -> str:
        """The label of the right verdict."""
        return self.view["labels"][self.view["outcomes"].index(self.pair.reference)]

    @property
    def sources(self) -> list[str]:
        """The texts of the pair, which a judgment may quote."""
        judged = self.known.asked["judged"]
        assert judged is not None
        return [self.pair.question, *judged["texts"]]

    @property
    def all_units(self) -> list[Unit]:
        return [unit for own in self.units for unit in own]

    def outcome(self, label: str | None) -> str | None:
        """What a label of this row means."""
        return None if label is None else self.view["outcomes"][self.view["labels"].index(label)]

    def after(self, stage: CallStage, drawing: Drawing) -> Self:
        """The row after the calls of a stage, with what they cost."""
        usage = add_usage(self.usage.get(stage, no_usage()), drawing.usage)
        failed = sum(isinstance(outcome, Lost) for outcomes in drawing.outcomes for outcome in outcomes)
        return replace(self, usage={**self.usage, stage: usage}, failed_calls=self.failed_calls + failed)

    def losing(self, *losses: Loss) -> Self:
        return replace(self, losses=(*self.losses, *losses))

    def measured(self, *judged: StageJudgment) -> Self:
        return replace(self, judged=(*self.judged, *judged))

    def stage_judgment(
        self, stage: JudgmentStage, judgment: Judgment, characters: int, tokens: int | None = None
    ) -> StageJudgment:
        """What is measured of a judgment with labels."""
        return StageJudgment(
            stage,
            self.outcome(judgment.verdict),
            characters,
            tokens,
            principles=len({unit.principle.casefold() for unit in judgment.units}),
            structure=judgment.structure,
            consistent=judgment.consistent,
        )
