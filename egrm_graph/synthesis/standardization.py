"""The second stage: each rationale becomes units, of a principle, a judgment, and a sub-verdict."""

from __future__ import annotations

from dataclasses import replace

from egrm_graph.clients.client import Client
from egrm_graph.judgments.judgment import Judgment, Unit
from egrm_graph.judgments.judgment_grammar import judgment_pattern, read_judgment
from egrm_graph.messages.fencing import code_of, fence
from egrm_graph.prompting import Prompts
from egrm_graph.synthesis.model_replies import STANDARDIZE, Reply, call_of, replies
from egrm_graph.synthesis.quotes import invented_quotes
from egrm_graph.synthesis.synthesis_row import CallStage, Loss, Rationale, SynthesisRow

MOST_UNITS = 5
"""How many a rationale usually has at most. Only a restricted reply cannot have more."""


async def standardize(client: Client, prompts: Prompts, row: SynthesisRow) -> SynthesisRow:
    """The row with the units of each rationale, from one call each."""
    codes = [code_of([row.view["code"], rationale.text]) for rationale in row.rationales]
    calls = [
        call_of(
            prompts,
            row,
            STANDARDIZE,
            {
                "rationale": fence("rationale", rationale.text, code),
                "candidate_labels": list(row.candidate_labels),
                "code": code,
            },
            form=judgment_pattern(code, row.candidate_labels, MOST_UNITS, verdict=False),
            number=number,
        )
        for number, (rationale, code) in enumerate(zip(row.rationales, codes, strict=True))
    ]
    if not calls:
        return row
    row, drawn = await replies(client, row, "units", calls)
    for rationale, code, reply in zip(row.rationales, codes, drawn, strict=True):
        row = _with_units(row, rationale, code, reply)
    return row


def _with_units(row: SynthesisRow, rationale: Rationale, code: str, reply: Reply) -> SynthesisRow:
    if reply.text is None:
        cause = "the model gave no complete text" if reply.drawn else "the call failed"
        return replace(row.losing(Loss("units", cause, reply.lost or "")), units=(*row.units, ()))
    read = read_judgment(reply.text, code, row.candidate_labels)
    row = row.losing(*(Loss("units", "a unit cannot be read", reason) for reason in read.lost))
    if not read.units and not read.lost:
        row = row.losing(Loss("units", "the reply has no unit", reply.text[:80]))
    row, units = with_checked_quotes(row, "units", read.units, [rationale.text, *row.sources])
    found = Judgment(None, units, (), None)
    measured = row.stage_judgment("units", replace(found, verdict=found.majority), reply.n_characters, reply.n_tokens)
    return replace(row.measured(measured), units=(*row.units, units))


def with_checked_quotes(
    row: SynthesisRow, stage: CallStage, units: tuple[Unit, ...], sources: list[str]
) -> tuple[SynthesisRow, tuple[Unit, ...]]:
    """The units whose quotations are all in one of the sources. The others are dropped."""
    found: list[Unit] = []
    for unit in units:
        if invented := invented_quotes(unit.judgment, sources):
            row = row.losing(Loss(stage, "a quotation is in no source", invented[0][:80]))
        else:
            found.append(unit)
    return row, tuple(found)
