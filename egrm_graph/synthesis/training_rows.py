"""The last stage: rows to train a judge on, as `egrm train judge` reads them.

The prompt of a row is the one that the graph sends for the strategy of the style. The completion is the judgment,
written in the grammar that the prompt asks for. In the style `depth`, the prompt has the solution, as in the graph; in
`mixed`, the judge has to write it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from typing_extensions import TypedDict

from egrm_graph.judgments.judgment import Judgment
from egrm_graph.judgments.judgment_grammar import write_judgment
from egrm_graph.strategies.breadth import Breadth
from egrm_graph.strategies.depth import Depth
from egrm_graph.strategies.mixed import Mixed
from egrm_graph.strategies.strategy import PathStrategy
from egrm_graph.synthesis.synthesis_row import Loss, Style, SynthesisRow
from egrm_graph.verification import Message

STRATEGY_OF: Mapping[Style, PathStrategy] = MappingProxyType({"breadth": Breadth(), "depth": Depth(), "mixed": Mixed()})


class TrainingRow(TypedDict):
    """A prompt and a completion in TRL's conversational form."""

    prompt: list[Message]
    completion: list[Message]
    label: str
    """The right verdict, as the prompt calls it."""
    style: str
    """`breadth` or `depth`."""
    domain: str | None


def training_row(
    row: SynthesisRow, style: Style, *, right_only: bool = False
) -> tuple[SynthesisRow, TrainingRow | None]:
    """The training row of a row; None if it has no judgment that can be written and read. The reason is then among the
    losses. With `right_only`, its verdict also has to be right."""
    judgment = row.judgment
    if judgment is None or row.structure is None:
        return row, None  # an earlier stage has lost it
    if judgment.verdict is None:
        return row.losing(Loss("row", "neither principles nor rationales have a majority")), None
    if right_only and judgment.verdict != row.label:
        return row.losing(Loss("row", "the verdict is wrong (--right-only)")), None
    written = judgment if style == "mixed" else replace(judgment, solution=None)
    try:
        text = write_judgment(written, row.view["code"], row.view["labels"])
    except ValueError:
        return row.losing(Loss("row", "the judgment cannot be written: a part has a signed line or a colon")), None
    if not _read_as(row, written, text):
        return row.losing(Loss("row", "the judge would read the written judgment as another one")), None
    settings = row.known.settings.model_copy(update={"mixed_by": "model"})
    [(call, _)] = STRATEGY_OF[style].next_calls(replace(row.known, settings=settings))
    return row.measured(row.stage_judgment("row", judgment, len(text))), TrainingRow(
        prompt=list(call.prompt),
        completion=[Message(role="assistant", content=text)],
        label=row.label,
        style=row.structure,
        domain=row.pair.domain,
    )


def _read_as(row: SynthesisRow, judgment: Judgment, text: str) -> bool:
    """Whether the task reads the text as this judgment, with its verdict."""
    return row.task.format.read_judgment(text, row.view) == judgment
