"""Compare the tables of the command line in a terminal of a given width with those in a pipe."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from egrm_graph.benchmark import bench_output, rule_comparison
from egrm_graph.benchmark.bench_figures import BenchRow, rows
from egrm_graph.benchmark.bench_folder import MethodResult
from egrm_graph.benchmark.demo_methods import Outcome, Trial
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.benchmark.rule_figures import RuleRow
from egrm_graph.cli import app, comparison_table
from egrm_graph.intervals import Estimate
from egrm_graph.terminal import verification_text
from egrm_graph.terminal.tables import UNBOUNDED, Column, Table
from tests.cli.trace.tracing import run, stored
from tests.replay.logs import question, written
from tests.tracing.records import path, record, verification

STYLES = re.compile(r"\x1b\[[0-9;]*m")
BAR = re.compile("[·█]+")
"""Longer than any terminal."""
TIME = re.compile(r"\d\d-\d\d \d\d:\d\d")
PATH = "89-6=83;83+80=163;163+2=165;165+50=215;215+2=217;217+70=287;287+4=291;#291"
QUESTION = "If 3 boxes hold 12 pens each and 4 more boxes hold 25 pens each, how many pens are there in all of them?"


def outcome(given: dict[str, Any]) -> Any:
    """Return the words that only the pipe gets, and the lines that do not fit. Without `columns`, return the lines."""
    lines = _printed(given, given.get("columns"))
    if "columns" not in given:
        return lines
    words, in_pipe = (Counter(" ".join(printed).split()) for printed in (lines, _printed(given, None)))
    lost = [word for word in (in_pipe - words).elements() if not (_broken(word, words) or BAR.fullmatch(word))]
    return {"lost": lost, "too wide": [line for line in lines if cell_len(line) > given["columns"]]}


def _broken(word: str, words: Counter[str]) -> bool:
    """Return whether the word is split because it is longer than its column."""
    while word and (parts := [part for part in words if word.startswith(part)]):
        word = word.removeprefix(max(parts, key=len))
    return not word


def _printed(given: dict[str, Any], columns: int | None) -> list[str]:
    text = VIEWS[given["view"]](columns) if "view" in given else _of(_table(given), columns)
    return [TIME.sub("MM-DD HH:MM", line).rstrip() for line in STYLES.sub("", text).splitlines()]


def _table(given: dict[str, Any]) -> Table:
    below = given.get("below", [])
    table = Table(*(Column(heading, below=heading in below) for heading in given["headings"]))
    for cells in given["rows"]:
        table.add_row(*cells)
    return table


def _of(output: Any, columns: int | None) -> str:
    out = StringIO()
    show = output if callable(output) else lambda console: console.print(output)
    show(Console(file=out, width=columns or UNBOUNDED, highlight=False))
    return out.getvalue()


def _command(columns: int | None, *arguments: object) -> str:
    """Print the table. In a pipe, the variable COLUMNS does not matter."""
    terminal = {"TTY_COMPATIBLE": "1", "COLUMNS": str(columns)} if columns else {"COLUMNS": "80"}
    return CliRunner().invoke(app, [str(each) for each in arguments], env=terminal).stdout


def _replay(columns: int | None) -> str:
    log = [question(i, ("77777", "88777", "78889")[i % 3], "77", tokens=(2, 30)) for i in range(30)]
    with TemporaryDirectory() as folder:
        file = written(Path(folder) / "log.jsonl", log)
        return _command(columns, "replay", file, "--measure", "consensus", "--measure", "semantic_entropy")


def _trace(command: str, *more: str) -> Callable[[int | None], str]:
    def show(columns: int | None) -> str:
        with TemporaryDirectory() as folder:
            asked = {**(record()["asked"] or {}), "question": QUESTION}
            answered = verification(
                route="direct", correct=False, answer="the answer is one hundred and thirty-six pens"
            )
            one = run("aaaa0000aaaa", 10, verification=verification(paths=[path("42", 0.9, 0, text=PATH)]))
            other = run("bbbb0000bbbb", asked=asked, verification=answered, settings={"threshold": 0.5}, sources={})
            return _command(columns, "trace", command, *more, "--store", stored(Path(folder) / "runs.db", one, other))

    return show


def _ask(columns: int | None) -> str:
    paths = [path(answer, 0.9, i, text=PATH) for i, answer in enumerate(("291", "two hundred and ninety-one", None))]
    return _of(lambda out: verification_text.show(verification(paths=paths), out), columns)


def _demo(columns: int | None) -> str:
    asked = [BenchQuestion(str(i), "1+1", "2", 1 + i % 2) for i in range(20)]
    outcomes = [Outcome(i % 5 > 0, 10 + i, i % 2 > 0, "ok", True, True, verification()) for i in range(20)]
    trials = [Trial(name, asked, outcomes, 12.5) for name in ("never reason", "always reason", "E-GRM")]
    return _of(lambda out: comparison_table.print_tables(trials, asked, out, levels=True, scorer=None), columns)


def _bench(columns: int | None) -> str:
    return _of(bench_output.table(_bench_rows(), "20 questions, at most 32 at once"), columns)


@cache
def _bench_rows() -> list[BenchRow]:
    names = ["never", "always", "egrm", "random", "egrm:semantic_entropy@16+beta"]
    results = [
        MethodResult(name, str(i), (i + j) % 4 > 0, 10 * j + i, j, j > 1, "ok", 0.1 * i, 5, 1, 4 * (j > 1), 0)
        for j, name in enumerate(names)
        for i in range(20)
    ]
    return rows(results, names)


def _ablation(columns: int | None) -> str:
    right = Estimate(0.975, 0.966, 0.985)
    made = [
        RuleRow("bradley_terry", rule, 4, right, Estimate(1.2, -0.5, 2.9)) for rule in ("majority", "weighted_vote")
    ]
    report = rule_comparison.RuleReport(
        "rollouts.jsonl", 1000, made, {"bradley_terry": right}, [], {"bradley_terry": 3}
    )
    return _of(lambda out: rule_comparison.print_report(report, out), columns)


VIEWS: dict[str, Callable[[int | None], str]] = {
    "egrm ask": _ask,
    "egrm bench": _bench,
    "egrm demo --levels": _demo,
    "egrm replay": _replay,
    "egrm trace diff": _trace("diff", "aaaa", "bbbb"),
    "egrm trace list": _trace("list"),
    "egrm trace replay": _trace("replay", "--threshold", "0.9"),
    "egrm trace replay RUN": _trace("replay", "aaaa", "--threshold", "0.9"),
    "egrm trace show": _trace("show", "aaaa"),
    "egrm trace stats": _trace("stats", "--by", "all"),
    "egrm train ablation": _ablation,
}
