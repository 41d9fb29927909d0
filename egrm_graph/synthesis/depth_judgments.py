"""The stage of depth: the task is solved first, and the candidates are judged again against the solution.

The model chooses one of the merged principles, three at most. What was judged under them before is thrown away, and it
never sees that.

Source: Depth-CoT of Mix-GRM, arXiv:2603.01571.
"""

from __future__ import annotations

from dataclasses import replace

from egrm_graph.clients.client import Client
from egrm_graph.deciding.outcomes import outcome_names
from egrm_graph.drawing.calls import Limits, draw
from egrm_graph.judgments.judgment import Judgment, Unit
from egrm_graph.judgments.judgment_grammar import judgment_pattern, read_judgment
from egrm_graph.messages.fencing import code_of, fence, inert
from egrm_graph.prompting import Prompts
from egrm_graph.strategies.depth import MOST_PRINCIPLES, Depth, solution_of
from egrm_graph.strategies.strategy import Round
from egrm_graph.synthesis.model_replies import REJUDGE, call_of, replies
from egrm_graph.synthesis.standardization import with_checked_quotes
from egrm_graph.synthesis.synthesis_row import Loss, SynthesisRow
from egrm_graph.tasks.judging import judged_of


async def solve(client: Client, row: SynthesisRow) -> SynthesisRow:
    """The row with the model's solution of the task, from the call that the strategy `depth` makes."""
    calls = Depth().next_calls(row.known)
    drawing = await draw(client, [call for call, _ in calls], Limits())
    row = replace(row.after("solution", drawing), known=row.known.after(Round(calls, drawing.outcomes)))
    solved = solution_of(row.known)
    if solved is None or solved.text is None:
        cause = "" if solved is None else solved.lost or ""
        return row.losing(Loss("solution", "the task was not solved", cause))
    return replace(row, solution=inert(solved.text))


async def judge_again(client: Client, prompts: Prompts, row: SynthesisRow) -> SynthesisRow:
    """The row with a judgment against the solution, under principles of the merged judgment."""
    solution, merged = row.solution, row.merged
    if solution is None or merged is None:
        return row
    listed = "\n".join(f"- {unit.principle}: {unit.rule}" for unit in merged.units)
    judged = judged_of(row.known.asked)
    code = code_of([row.view["code"], *row.sources, solution, listed])
    by_name = dict(zip(outcome_names(judged), judged["texts"], strict=True))
    texts = [by_name[name] for name in row.view["order"]]
    own = row.task.format.variables(row.known.asked, {**judged, "code": code}, texts, row.view["labels"])
    most = min(MOST_PRINCIPLES, row.known.settings.principles)
    fenced = {"solution": fence("solution", solution, code), "principles": fence("principles", listed, code)}
    form = judgment_pattern(code, row.view["labels"], most)
    call = call_of(prompts, row, REJUDGE, {**own, **fenced, "most": most}, form=form)
    row, [reply] = await replies(client, row, "depth", [call])
    if reply.text is None:
        cause = "the model gave no complete text" if reply.drawn else "the call failed"
        return row.losing(Loss("depth", cause, reply.lost or ""))
    read = read_judgment(reply.text, code, row.view["labels"])
    row = row.losing(*(Loss("depth", "a unit cannot be read", reason) for reason in read.lost))
    row, units = _chosen(row, merged, read.units, most)
    row, units = with_checked_quotes(row, "depth", units, [solution, *row.sources])
    judgment = Judgment(solution, units, (), read.verdict)
    row = row.measured(row.stage_judgment("depth", judgment, reply.n_characters, reply.n_tokens))
    if not units or read.verdict is None:
        missing = "no unit is left" if not units else "the last line is not a signed verdict"
        return row.losing(Loss("depth", missing, reply.text[-80:]))
    return replace(row, judgment=judgment)


def _chosen(
    row: SynthesisRow, merged: Judgment, units: tuple[Unit, ...], most: int
) -> tuple[SynthesisRow, tuple[Unit, ...]]:
    """The units of principles that were to be chosen from, with the rule that these have. At most `most` of them."""
    rules = {_name(unit.principle): unit for unit in merged.units}
    found: list[Unit] = []
    for unit in units:
        source = rules.get(_name(unit.principle))
        if source is None:
            row = row.losing(Loss("depth", "a principle is none of those to choose from", unit.principle[:80]))
        elif len(found) == most:
            row = row.losing(Loss("depth", f"a principle comes after the first {most}", unit.principle[:80]))
        else:
            found.append(replace(unit, principle=source.principle, rule=source.rule))
    return row, tuple(found)


def _name(principle: str) -> str:
    return " ".join(principle.split()).casefold()
