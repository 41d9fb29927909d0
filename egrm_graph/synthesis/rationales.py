"""The first stage: ordinary judgments, by the plain prompt of the task."""

from __future__ import annotations

from dataclasses import replace

from egrm_graph.clients.client import Client
from egrm_graph.strategies.plain import Plain
from egrm_graph.synthesis.model_replies import Reply, replies
from egrm_graph.synthesis.synthesis_row import Loss, Rationale, StageJudgment, SynthesisRow


async def draw_rationales(client: Client, row: SynthesisRow, n: int) -> SynthesisRow:
    """The row with up to `n` rationales. One without a readable verdict is dropped."""
    wanted = replace(row.known, views=[{**row.view, "samples": n}])
    calls = [call for call, _ in Plain().next_calls(wanted)]
    row, drawn = await replies(client, row, "rationales", calls)
    for reply in drawn:
        row = _with(row, reply)
    return row


def _with(row: SynthesisRow, reply: Reply) -> SynthesisRow:
    if not reply.drawn:
        return row.losing(Loss("rationales", "the call failed", reply.lost or ""))
    text = reply.text or ""
    verdict = row.task.format.read(text, row.view, fast=False, complete=True) if text else None
    row = row.measured(StageJudgment("raw", row.outcome(verdict), reply.n_characters, reply.n_tokens))
    reasoning = text.rpartition("\n")[0].strip()
    if reply.lost is not None:
        return row.losing(Loss("rationales", "the model gave no complete text", reply.lost))
    if verdict is None:
        return row.losing(Loss("rationales", "the last line is not a signed verdict", text[-80:]))
    if not reasoning:
        return row.losing(Loss("rationales", "there is only a verdict"))
    return replace(row, rationales=(*row.rationales, Rationale(reasoning, verdict)))
