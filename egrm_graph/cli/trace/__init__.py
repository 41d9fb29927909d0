"""`egrm trace`: inspect recorded runs."""

from __future__ import annotations

import typer

from egrm_graph.cli.trace.diff import diff
from egrm_graph.cli.trace.export import export
from egrm_graph.cli.trace.list_runs import list_runs
from egrm_graph.cli.trace.open_runs import open_runs
from egrm_graph.cli.trace.prune import prune
from egrm_graph.cli.trace.replay_runs import replay_runs
from egrm_graph.cli.trace.show import show
from egrm_graph.cli.trace.stats import stats

trace = typer.Typer(no_args_is_help=True, help="List, show, and compare recorded runs, and decide them again.")
trace.command("list")(list_runs)
trace.command("show")(show)
trace.command("open")(open_runs)
trace.command("diff")(diff)
trace.command("stats")(stats)
trace.command("replay")(replay_runs)
trace.command("export")(export)
trace.command("prune")(prune)
