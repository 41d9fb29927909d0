"""Print the judgment of a path on candidates: a line about all of it, then its solution and its units."""

from __future__ import annotations

from rich.text import Text

from egrm_graph.terminal.tables import Table
from egrm_graph.terminal.terminal_text import bounded
from egrm_graph.verification import PathJudgment

MAX_UNITS = 24
"""The most units of one path to print."""


def has_parts(judgment: PathJudgment | None) -> bool:
    """Whether there is more to print than the verdict."""
    return judgment is not None and bool(judgment["units"] or judgment["lost"] or judgment["structure"] != "plain")


def summary_of(judgment: PathJudgment) -> str:
    """The structure, the number of units, and whether they agree with the verdict, in one line."""
    n_units, n_lost = len(judgment["units"]), len(judgment["lost"])
    parts = [judgment["structure"], f"{n_units} principle{'' if n_units == 1 else 's'}"]
    parts += [f"{n_lost} part{'' if n_lost == 1 else 's'} lost"] if n_lost else []
    return ", ".join([*parts, agreement(judgment)])


def agreement(judgment: PathJudgment) -> str:
    """How the majority of the sub-verdicts relates to the verdict."""
    if judgment["consistent"] is None:
        return "no majority to compare with the verdict"
    return "the majority agrees with the verdict" if judgment["consistent"] else "the majority contradicts the verdict"


def add_rows(table: Table, judgment: PathJudgment, most: int) -> None:
    """A row for the solution, for each of the first units, and for each part that was lost. The table has four
    columns."""
    if judgment["solution"] is not None:
        table.add_row(" ", "", Text("solution", "dim"), Text(bounded(judgment["solution"], most), "dim"))
    for unit in judgment["units"][:MAX_UNITS]:
        judged = " ".join(part for part in (unit["rule"], unit["judgment"]) if part)
        named = f"{unit['principle']}: {judged}" if unit["principle"] else "not recorded"
        table.add_row(" ", "", Text(bounded(unit["sub_verdict"], most)), Text(bounded(named, most), "dim"))
    if len(judgment["units"]) > MAX_UNITS:
        table.add_row(" ", "", "", Text(f"{len(judgment['units'])} principles in all", "dim"))
    for reason in judgment["lost"][:MAX_UNITS]:
        table.add_row(" ", "", Text("lost", "dim"), Text(bounded(reason, most), "dim"))
