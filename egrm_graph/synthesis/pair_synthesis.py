"""Makes one judgment from several: the stages of the synthesis, for one pair.

Rationales become units, and the units of all rationales are merged by principle. For depth, the task is solved, and the
candidates are judged again against the solution. The model writes, groups, and judges. Code counts, takes majorities,
drops, and quotes.

Source: Mix-GRM, arXiv:2603.01571.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from typing_extensions import TypedDict

from egrm_graph.clients.client import ContinuesPrompt
from egrm_graph.errors import SettingsError
from egrm_graph.fine_tuning.judged_pairs import JudgedPair
from egrm_graph.parts import Parts
from egrm_graph.prompting import Prompts
from egrm_graph.synthesis.depth_judgments import judge_again, solve
from egrm_graph.synthesis.grouping import group_principles
from egrm_graph.synthesis.merging import merge
from egrm_graph.synthesis.model_replies import synthesis_prompts
from egrm_graph.synthesis.rationales import draw_rationales
from egrm_graph.synthesis.standardization import standardize
from egrm_graph.synthesis.structure_choice import choose_structure
from egrm_graph.synthesis.synthesis_row import Style, SynthesisRow
from egrm_graph.synthesis.training_rows import TrainingRow, training_row
from egrm_graph.tasks.judging import Judging
from egrm_graph.verification import Usage


class SynthesizedPair(TypedDict):
    """What became of one pair, as plain values."""

    reference: str
    domain: str | None
    structure: str | None
    outcomes: dict[str, str]
    """What each label of the texts means."""
    rationales: list[dict[str, Any]]
    units: list[list[dict[str, Any]]]
    """The units of each rationale."""
    groups: list[list[int]]
    """Units with the same principle, by their places among all units."""
    merged: list[dict[str, Any]]
    """The merged units, each with its `count`."""
    solution: str | None
    judged: list[dict[str, Any]]
    """The judgments of each stage, as they are measured."""
    losses: list[dict[str, Any]]
    failed_calls: int
    """Calls that brought nothing, such as when the server was gone."""
    usage: dict[str, Usage]
    row: TrainingRow | None


@dataclass(frozen=True)
class Synthesis:
    """Synthesizes judgments with the parts of a graph."""

    parts: Parts
    prompts: Prompts
    style: Style
    rationales: int = 2
    """How many rationales a pair gets."""
    right_only: bool = False
    """Whether to leave out judgments whose verdict is wrong. The publication does not."""

    @classmethod
    def of(cls, parts: Parts, style: Style, *, rationales: int = 2, right_only: bool = False) -> Synthesis:
        """The synthesis with these parts.

        Raises:
            SettingsError: the task does not compare candidates, or the model does not follow instructions.
        """
        task = parts.task
        if not isinstance(task, Judging) or "orders" not in task.provides:
            raise SettingsError(f"the task {task.name!r} does not compare candidates; set task (--task) to 'pairwise'")
        continues = isinstance(parts.client, ContinuesPrompt) and parts.client.continues_prompt
        if not task.format.has_units or task.format.solves_itself or continues:
            raise SettingsError(
                f"{parts.client.name} does not follow instructions in English, as the stages of a synthesis need; set "
                "model (--model) to an instruction-tuned one"
            )
        for strategy in ("plain", "breadth", "depth", "mixed"):
            parts.check_settings(parts.settings.model_copy(update={"strategy": strategy, "path_stopping": "all"}))
        return cls(parts, synthesis_prompts(parts), style, rationales, right_only)

    async def synthesize(self, pair: JudgedPair, number: int) -> SynthesizedPair:
        """Synthesize the judgment of a pair. Its `number` decides the order of the candidates; see `SynthesisRow.of`.

        Raises:
            InputError: the task cannot judge the pair.
        """
        client = self.parts.client
        row = await draw_rationales(client, SynthesisRow.of(self.parts, pair, number), self.rationales)
        row = merge(await group_principles(client, self.prompts, await standardize(client, self.prompts, row)))
        if row.merged is not None:
            row = await choose_structure(client, row, self.style)
        if row.structure == "depth":
            row = await judge_again(client, self.prompts, await solve(client, row))
        elif row.structure == "breadth":
            row = replace(row, judgment=row.merged)
        return _record(*training_row(row, self.style, right_only=self.right_only))


def _record(row: SynthesisRow, trained: TrainingRow | None) -> SynthesizedPair:
    merged = () if row.merged is None else row.merged.units
    return SynthesizedPair(
        reference=row.pair.reference,
        domain=row.pair.domain,
        structure=row.structure,
        outcomes=dict(zip(row.view["labels"], row.view["outcomes"], strict=True)),
        rationales=[asdict(rationale) for rationale in row.rationales],
        units=[[asdict(unit) for unit in own] for own in row.units],
        groups=[list(group) for group in row.groups],
        merged=[{**asdict(unit), "count": count} for unit, count in zip(merged, row.counts, strict=True)],
        solution=row.solution,
        judged=[asdict(each) for each in row.judged],
        losses=[asdict(loss) for loss in row.losses],
        failed_calls=row.failed_calls,
        usage=dict(row.usage.items()),
        row=trained,
    )
