"""Tells a recorded run to a person at a terminal: the verdict and why, then how it came about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from egrm_graph.cli.story import COLOURS
from egrm_graph.cli.story import show as show_verdict
from egrm_graph.cli.text import shortened, when
from egrm_graph.tracing.record import ModelCall, NodeRun, Record
from egrm_graph.verification import Verification

BAR = 40
SHOWN = 500
"""Characters of a text that may be long."""
CALLS = 24
"""Calls of one node that are shown."""


def show(record: Record, out: Console) -> None:
    """Prints it. Every text in it is shown as it is: no markup, no escapes."""
    out.print(Text(_headline(record), "bold"), soft_wrap=True)
    out.print(Text(_made_with(record), "dim"), soft_wrap=True)
    asked = record["asked"]
    question = "the question was not recorded" if asked is None else shortened(asked["question"], SHOWN)
    out.print(Text(question), soft_wrap=True)
    _print_part("Why", [Text(shortened(why, SHOWN)) for why in record["why"]], out)
    out.print()
    if record["verification"] is not None:
        show_verdict(_bounded(record["verification"]), out)
    else:
        reason = "" if record["error"] is None else f": {shortened(record['error'], SHOWN)}"
        out.print(Text(f"no verdict, the run {_ended(record)}{reason}", COLOURS["abstained"]), soft_wrap=True)
    _print_part("Nodes and calls", [_waterfall(record)] if record["nodes"] or record["calls"] else [], out)
    _print_part("Retries and failures", [Text(line) for line in _trouble(record)], out)
    _print_part("Settings that are not the default", [Text(line) for line in _settings(record)], out)


def _print_part(title: str, lines: Sequence[RenderableType], out: Console) -> None:
    if lines:
        out.print()
        out.print(Text(title, "bold"))
        out.print(Padding(Group(*lines), (0, 0, 0, 2), expand=False))


def _headline(record: Record) -> str:
    run = shortened(record["run_id"], 80)
    return f"Run {run} · {when(record['started_at'])} · {record['ms']:,.0f} ms · {record['ending']}"


def _made_with(record: Record) -> str:
    parts = [f"{record['task']} by {record['model']} ({record['engine']})"]
    parts += [] if record["scorer"] is None else [f"scorer {record['scorer']}"]
    parts += [] if record["server_version"] is None else [f"server {record['server_version']}"]
    parts += _servers(record) if len(_servers(record)) == 1 else []
    parts += [f"egrm-graph {record['package']}", f"recorded: {record['level']}"]
    parts += [] if record["texts"] else ["without texts"]
    parts += [f"{name} {value}" for name, value in record["metadata"].items()]
    return " · ".join(shortened(part, 120) for part in parts)


def _servers(record: Record) -> list[str]:
    return sorted({call["server"] for call in record["calls"] if call["server"] is not None})


def _ended(record: Record) -> str:
    return "was given up" if record["ending"] == "unfinished" else shortened(record["ending"], 40)


def _bounded(told: Verification) -> Verification:
    def short(text: str | None) -> str | None:
        return None if text is None else shortened(text, SHOWN)

    reasons = [shortened(reason, SHOWN) for reason in told["reasons"]]
    return {**told, "answer": short(told["answer"]), "best_guess": short(told.get("best_guess")), "reasons": reasons}


def _waterfall(record: Record) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    ends = [step["ended_ms"] for step in (*record["nodes"], *record["calls"])]
    whole_ms = max([record["ms"], *ends])
    several = len(_servers(record)) > 1
    told = set()
    for node in record["nodes"]:
        calls = [] if node["name"] in told else [call for call in record["calls"] if call["node"] == node["name"]]
        told.add(node["name"])
        _node_row(table, node, whole_ms)
        _call_rows(table, calls, whole_ms, several)
    _call_rows(table, [call for call in record["calls"] if call["node"] not in told], whole_ms, several)
    return table


def _node_row(table: Table, node: NodeRun, whole_ms: float) -> None:
    parts = [f"{node['ended_ms'] - node['started_ms']:,.1f} ms"]
    n_tokens = 0 if node["usage"] is None else node["usage"]["completion_tokens"]
    parts += [f"{n_tokens:,} tokens"] if n_tokens else []
    parts += [] if node["error"] is None else [shortened(node["error"], 120)]
    took = Text(" · ".join(parts))
    bar = Text(_bar(node["started_ms"], node["ended_ms"], whole_ms), "cyan")
    table.add_row(Text(shortened(node["name"], 30), "bold"), bar, took)


def _call_rows(table: Table, calls: list[ModelCall], whole_ms: float, several: bool) -> None:
    for call in calls[:CALLS]:
        name = f"  {call['kind']}" + (f" x{len(call['seeds'])}" if len(call["seeds"]) > 1 else "")
        bar = Text(_bar(call["started_ms"], call["ended_ms"], whole_ms), "blue" if call["ending"] == "ok" else "red")
        table.add_row(Text(name), bar, Text(_call(call, several), "dim"))
    if len(calls) > CALLS:
        table.add_row(Text(f"  and {len(calls) - CALLS} more"))


def _call(call: ModelCall, several: bool) -> str:
    """`several`: there is more than one server, so that it matters which."""
    parts = [f"{call['started_ms']:,.0f} to {call['ended_ms']:,.0f} ms"]
    if call["first_token_ms"] is not None:
        parts.append(f"first token at {call['first_token_ms']:,.0f}")
    if call["usage"] is not None:
        parts.append(f"{call['usage']['completion_tokens']:,} tokens")
    parts += [] if call["ending"] == "ok" else [call["ending"]]
    parts += [f"after {len(call['retries'])} failed"] if call["retries"] else []
    parts += [call["server"]] if several and call["server"] is not None else []
    return " · ".join(shortened(part, 120) for part in parts)


def _bar(started_ms: float, ended_ms: float, whole_ms: float) -> str:
    """Where in the run something was under way."""
    first, last = (min(BAR, max(0, round(BAR * at / whole_ms))) if whole_ms > 0 else 0 for at in (started_ms, ended_ms))
    first = min(first, BAR - 1)
    length = max(1, last - first)
    return f"{'·' * first}{'█' * length}{'·' * (BAR - first - length)}"


def _trouble(record: Record) -> Iterator[str]:
    if record["verification"] is None:  # which else tells them
        for node in record["nodes"]:
            where = shortened(node["name"], 30)
            yield from (f"- {where}: {shortened(reason, SHOWN)}" for reason in node["reasons"])
    for call in record["calls"]:
        where = f"{call['node']}, {call['request_id']}"
        told = [f"tried again at {retry['at_ms']:,.0f} ms: {retry['reason']}" for retry in call["retries"]]
        if call["ending"] != "ok":
            told.append(call["ending"] + ("" if call["error"] is None else f": {call['error']}"))
        told += [f"seed {one['seed']}: {one['error']}" for one in call["generated"] if one["error"] is not None]
        yield from (f"- {shortened(where, 80)}: {shortened(what, SHOWN)}" for what in told)


def _settings(record: Record) -> Iterator[str]:
    for name, source in record["sources"].items():
        yield f"{shortened(name, 40)} = {shortened(str(record['settings'].get(name)), 120)} ({source})"
