"""The first stage: ordinary judgments, by the plain prompt of the task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from egrm_graph.clients.client import Client
from egrm_graph.judgments.judgment_grammar import verdict_pattern
from egrm_graph.synthesis.model_replies import Reply, replies
from egrm_graph.synthesis.synthesis_row import Loss, Rationale, StageJudgment, SynthesisRow
from egrm_graph.verification import View

TOKENS_OF_A_LINE = 25
"""An estimate that is meant to be high. A model whose lines are shorter is stopped before `path_max_tokens`."""


async def draw_rationales(client: Client, row: SynthesisRow, n: int) -> SynthesisRow:
    """The row with up to `n` rationales. One without a readable verdict is dropped."""
    wanted = replace(row.known, views=[{**row.view, "samples": n}])
    form = rationale_form(wanted.settings.path_max_tokens)
    calls = [call for call, _ in wanted.calls("expand_cot", wanted.path_views(), form=form)]
    row, drawn = await replies(client, row, "rationales", calls)
    for reply in drawn:
        row = _with(row, reply)
    return row


def rationale_form(max_tokens: int) -> Callable[[View], str | None]:
    """The form of a rationale: at most as many lines as usually fit into so many tokens, then a signed verdict; None in
    a view without a code.

    Paths of the graph have no such form: a model that is stopped there gives a verdict that it has not reached. A
    rationale is material for units, whose sub-verdicts count.
    """
    most = max(1, max_tokens // TOKENS_OF_A_LINE)

    def form(view: View) -> str | None:
        return verdict_pattern(view["code"], view["labels"], most) if view["code"] else None

    return form


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
