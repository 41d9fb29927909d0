"""Print a recorded run to a terminal: the verdict and its explanation, then what led to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from egrm_graph.records.record import ModelCall, NodeRun, Record
from egrm_graph.terminal.tables import UNBOUNDED, Table
from egrm_graph.terminal.terminal_text import MAX_PIPE_CHARACTERS, bounded, when
from egrm_graph.terminal.verification_text import show as show_verdict
from egrm_graph.tracing.run_summary import ENDING_STYLES
from egrm_graph.verification import Verification

BAR_WIDTH, SHORT_BAR_WIDTH = 40, 16
SHORT_BAR_BELOW = 100
"""Narrower terminals get the shorter bar."""
MAX_TERMINAL_CHARACTERS = 500
"""The most characters of one text on a terminal."""
MAX_CALLS = 24
"""The most calls to print per node."""


def show(record: Record, out: Console) -> None:
    """Print the run. Markup and escapes in its texts are not interpreted."""
    most = MAX_PIPE_CHARACTERS if out.width >= UNBOUNDED else MAX_TERMINAL_CHARACTERS
    out.print(Text(_headline(record), "bold"))
    out.print(Text(_made_with(record, most), "dim"))
    asked = record["asked"]
    question = "the question was not recorded" if asked is None else bounded(asked["question"], most)
    out.print(Text(question))
    _print_part("Why", [Text(bounded(sentence, most)) for sentence in record["why"]], out)
    out.print()
    if record["verification"] is not None:
        show_verdict(_bounded(record["verification"], most), out)
    else:
        reason = "" if record["error"] is None else f": {bounded(record['error'], most)}"
        out.print(Text(f"no verdict, the run {_ended(record)}{reason}", ENDING_STYLES["abstained"]), soft_wrap=True)
    _print_part(
        "Nodes and calls",
        [_waterfall(record, out.width)] if record["nodes"] or record["calls"] else [],
        out,
    )
    _print_part("Retries and failures", [Text(line) for line in _trouble(record, most)], out)
    _print_part("Settings that are not the default", [Text(line) for line in _settings(record, most)], out)


def _print_part(title: str, lines: Sequence[RenderableType], out: Console) -> None:
    if lines:
        out.print()
        out.print(Text(title, "bold"))
        out.print(Padding(Group(*lines), (0, 0, 0, 2), expand=False))


def _headline(record: Record) -> str:
    run = bounded(record["run_id"], MAX_TERMINAL_CHARACTERS)
    return f"Run {run} · {when(record['started_at'])} · {record['ms']:,.0f} ms · {record['ending']}"


def _made_with(record: Record, most: int) -> str:
    parts = [f"{record['task']} by {record['model']} ({record['engine']})"]
    parts += [] if record["scorer"] is None else [f"scorer {record['scorer']}"]
    parts += [] if record["server_version"] is None else [f"server {record['server_version']}"]
    parts += _servers(record) if len(_servers(record)) == 1 else []
    parts += [f"egrm-graph {record['package']}", f"recorded: {record['level']}"]
    parts += [] if record["texts"] else ["without texts"]
    parts += [f"{name} {value}" for name, value in record["metadata"].items()]
    return " · ".join(bounded(part, most) for part in parts)


def _servers(record: Record) -> list[str]:
    return sorted({call["server"] for call in record["calls"] if call["server"] is not None})


def _ended(record: Record) -> str:
    return "was abandoned" if record["ending"] == "unfinished" else bounded(record["ending"], MAX_TERMINAL_CHARACTERS)


def _bounded(verification: Verification, most: int) -> Verification:
    def short(text: str | None) -> str | None:
        return None if text is None else bounded(text, most)

    reasons = [bounded(reason, most) for reason in verification["reasons"]]
    return {
        **verification,
        "answer": short(verification["answer"]),
        "best_guess": short(verification.get("best_guess")),
        "reasons": reasons,
    }


def _waterfall(record: Record, width: int) -> RenderableType:
    bar = SHORT_BAR_WIDTH if width < SHORT_BAR_BELOW else BAR_WIDTH
    table = Table("", "", "")
    ends = [step["ended_ms"] for step in (*record["nodes"], *record["calls"])]
    total_ms = max([record["ms"], *ends])
    several = len(_servers(record)) > 1
    left = list(record["calls"])
    for node in record["nodes"]:
        # A node may run several times. Each of its executions made the calls that started before it ended.
        calls = [call for call in left if call["node"] == node["name"] and call["started_ms"] <= node["ended_ms"]]
        left = [call for call in left if call not in calls]
        _node_row(table, node, total_ms, bar)
        _call_rows(table, calls, total_ms, bar, several)
    _call_rows(table, left, total_ms, bar, several)
    return table


def _node_row(table: Table, node: NodeRun, total_ms: float, width: int) -> None:
    parts = [f"{node['ended_ms'] - node['started_ms']:,.1f} ms"]
    n_tokens = 0 if node["usage"] is None else node["usage"]["completion_tokens"]
    parts += [f"{n_tokens:,} tokens"] if n_tokens else []
    parts += [] if node["error"] is None else [bounded(node["error"], MAX_TERMINAL_CHARACTERS)]
    took = Text(" · ".join(parts))
    bar = Text(_bar(node["started_ms"], node["ended_ms"], total_ms, width), "cyan")
    table.add_row(Text(bounded(node["name"], MAX_TERMINAL_CHARACTERS), "bold"), bar, took)


def _call_rows(table: Table, calls: list[ModelCall], total_ms: float, width: int, several: bool) -> None:
    for call in calls[:MAX_CALLS]:
        name = f"  {call['kind']}" + (f" x{len(call['seeds'])}" if len(call["seeds"]) > 1 else "")
        bar = _bar(call["started_ms"], call["ended_ms"], total_ms, width)
        style = "blue" if call["ending"] == "ok" else "red"
        table.add_row(name, Text(bar, style), Text(_call(call, several), "dim"))
    if len(calls) > MAX_CALLS:
        table.add_row(f"  and {len(calls) - MAX_CALLS} more", "", "")


def _call(call: ModelCall, several: bool) -> str:
    """`several` says whether the run used more than one server."""
    parts = [f"{call['started_ms']:,.0f} to {call['ended_ms']:,.0f} ms"]
    if call["first_token_ms"] is not None:
        parts.append(f"first token at {call['first_token_ms']:,.0f}")
    if call["usage"] is not None:
        parts.append(f"{call['usage']['completion_tokens']:,} tokens")
    form = call.get("reply_form")  # records of earlier versions lack it
    parts += [] if form is None or form == "free" else [form]
    parts += [] if call["ending"] == "ok" else [call["ending"]]
    parts += [f"after {len(call['retries'])} failed"] if call["retries"] else []
    parts += [call["server"]] if several and call["server"] is not None else []
    return " · ".join(bounded(part, MAX_TERMINAL_CHARACTERS) for part in parts)


def _bar(started_ms: float, ended_ms: float, total_ms: float, width: int) -> str:
    """A bar that shows when in the run something happened."""
    first, last = (
        min(width, max(0, round(width * at / total_ms))) if total_ms > 0 else 0 for at in (started_ms, ended_ms)
    )
    first = min(first, width - 1)
    length = max(1, last - first)
    return f"{'·' * first}{'█' * length}{'·' * (width - first - length)}"


def _trouble(record: Record, most: int) -> Iterator[str]:
    if record["verification"] is None:  # a verification has the reasons of all nodes
        for node in record["nodes"]:
            where = bounded(node["name"], MAX_TERMINAL_CHARACTERS)
            yield from (f"- {where}: {bounded(reason, most)}" for reason in node["reasons"])
    for call in record["calls"]:
        where = f"{call['node']}, {call['request_id']}"
        lines = [f"retried at {retry['at_ms']:,.0f} ms: {retry['reason']}" for retry in call["retries"]]
        if call["ending"] != "ok":
            lines.append(call["ending"] + ("" if call["error"] is None else f": {call['error']}"))
        lines += [f"seed {item['seed']}: {item['error']}" for item in call["generated"] if item["error"] is not None]
        yield from (f"- {bounded(where, MAX_TERMINAL_CHARACTERS)}: {bounded(line, most)}" for line in lines)


def _settings(record: Record, most: int) -> Iterator[str]:
    for name, source in record["sources"].items():
        value = bounded(str(record["settings"].get(name)), most)
        yield f"{bounded(name, MAX_TERMINAL_CHARACTERS)} = {value} ({source})"
