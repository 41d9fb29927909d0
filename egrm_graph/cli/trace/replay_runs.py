"""`egrm trace replay`: decide recorded runs again, without calling a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from egrm_graph.cli.setting_options import with_fields
from egrm_graph.cli.trace.trace_options import DEFAULT_STORE, StoreOption, filter_of
from egrm_graph.settings import Selection
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.terminal.terminal_text import bounded, one_line
from egrm_graph.tracing.filter import Filter
from egrm_graph.tracing.run_summary import SHORT_ID_CHARACTERS

if TYPE_CHECKING:
    from egrm_graph.replay.decide_again import ReplayDecision
    from egrm_graph.replay.replayed_runs import Replayed, ReplayTally

MAX_CHANGED = 20


# Here, --measure is the measure to decide by.
_with_filter = with_fields(Filter, "which", filter_of, without=("measure",), panel=lambda _: "Which runs")


@_with_filter
def replay_runs(
    *,
    which: Filter,
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run or `latest`. Without it, all runs.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Decide with this threshold.")] = None,
    measure: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Decide by this measure. Without --threshold, uses the measure's default."),
    ] = None,
    rule: Annotated[Selection | None, typer.Option(help="Choose among the paths with this rule.")] = None,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Withhold answers with a lower calibrated confidence.")
    ] = None,
    path_stopping: Annotated[
        str | None, typer.Option(metavar="RULE", help="Stop drawing paths by this rule: `posterior`, `all`, ...")
    ] = None,
    path_confidence: Annotated[
        float | None, typer.Option(help="The probability at which `--path-stopping posterior` stops.")
    ] = None,
    paths: Annotated[int | None, typer.Option(min=1, help="Draw at most this many paths.")] = None,
    store: StoreOption = DEFAULT_STORE,
    limit: Annotated[int | None, typer.Option(min=1, help="Replay at most this many runs, the newest.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON line per run.")] = False,
) -> None:
    """Decide recorded runs again with another threshold, measure, or rule, and show what changes. Calls no model.

    A run that would need answers that were not drawn is undecided. To decide every run, record with a gate that never
    opens and with all paths: --threshold 2 --stopping all --path-stopping all. Without changes, runs are decided as
    recorded.
    """
    from egrm_graph.replay.replayed_runs import ReplayTally, replay_one, replayed
    from egrm_graph.tracing.store_reading import record_of, records

    changes: dict[str, Any] = {"selection": rule} if rule else {}
    if measure is not None:  # a threshold of another measure does not apply
        changes |= {"measure": measure, "threshold": None}
    if threshold is not None:
        changes["threshold"] = threshold
    if min_confidence is not None:
        changes["min_confidence"] = min_confidence
    given = {"path_stopping": path_stopping, "path_confidence": path_confidence, "paths": paths}
    changes |= {name: value for name, value in given.items() if value is not None}
    out, tally = standard_output(), ReplayTally()
    if run is not None:
        one = replay_one(record_of(store, run), changes)
        if as_json:
            typer.echo(json.dumps(asdict(one), allow_nan=False))
        else:
            _show_one(one, out)
        return
    changed: list[Replayed] = []
    with closing(records(store, which)) as found:
        for one in replayed(islice(found, limit), changes, tally):
            if as_json:
                typer.echo(json.dumps(asdict(one), allow_nan=False))
            elif one.changed and len(changed) < MAX_CHANGED:
                changed.append(one)
    if not as_json:
        _show_all(tally, changed, out)


def _show_one(one: Replayed, out: Console) -> None:
    table = Table("", "recorded", "decided again")
    for name in ("value", "threshold", "route", "status", "answer", "winner", "best_path"):
        before, after = getattr(one.before, name), getattr(one.after, name)
        style = "bold" if before != after and one.after.undecided is None else ""
        table.add_row(name.replace("_", " "), _cell(before), Text.assemble(_cell(after), style=style))
    out.print(table)
    if one.after.undecided is not None:
        out.print(Text(f"Undecided: {one.after.undecided}."))


def _cell(value: Any) -> Text:
    if value is None:
        return Text("-", "dim")
    return Text(f"{value:.4g}" if isinstance(value, float) else bounded(str(value)))


def _show_all(tally: ReplayTally, changed: Sequence[Replayed], out: Console) -> None:
    lines = [
        f"{tally.runs:,} runs decided again without a model call; {tally.changed:,} changed"
        + (f", {tally.undecided:,} are undecided" if tally.undecided else ""),
        f"reasoned: {tally.reasoned_before:,} before, {tally.reasoned_after:,} now"
        + (f", {tally.route_unknown:,} unknown" if tally.route_unknown else ""),
    ]
    if tally.referenced:
        lines.append(
            f"right, of {tally.referenced:,} decided runs with a reference: {tally.right_before:,} before, "
            f"{tally.right_after:,} now"
        )
    if tally.no_verdict:
        lines.append(f"{tally.no_verdict:,} runs have no verdict and were skipped")
    for line in lines:
        out.print(Text(line))
    if not changed:
        return
    table = Table("run", "recorded", "decided again", Column("question", below=True))
    for one in changed:
        name = one_line(one.run_id[:SHORT_ID_CHARACTERS])
        table.add_row(name, _short(one.before), _short(one.after), Text(bounded(one.question), "dim"))
    out.print()
    out.print(table)
    if tally.changed > len(changed):
        out.print(Text(f"... and {tally.changed - len(changed):,} more; --json prints all"))


def _short(decision: ReplayDecision) -> Text:
    if decision.route is None:
        return Text("undecided", "dim")
    answer = "undecided" if decision.undecided else "no answer" if decision.answer is None else decision.answer
    return Text(f"{decision.route} {bounded(answer)}")
