"""The command line `egrm`. Results go to standard output, and everything else to standard error.

Exit status: 0 when everything has an answer, 1 when something has none, 2 when nothing could be done (wrong options, or
a missing file, server, or model), and 130 after an interruption.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import egrm_graph
from egrm_graph.cli.ablation import ablation
from egrm_graph.cli.ask import ask
from egrm_graph.cli.attack import attack
from egrm_graph.cli.bench import bench
from egrm_graph.cli.calibrate import calibrate
from egrm_graph.cli.demo import demo
from egrm_graph.cli.fine_tune import judge
from egrm_graph.cli.fine_tune_generator import generator
from egrm_graph.cli.mixture import mixture
from egrm_graph.cli.replay import replay
from egrm_graph.cli.rollouts import rollouts
from egrm_graph.cli.serve_model import serve_model
from egrm_graph.cli.setting_options import reflowed
from egrm_graph.cli.synthesize import synthesize
from egrm_graph.cli.trace import trace
from egrm_graph.cli.train import process_reward, scorer
from egrm_graph.cli.trees import trees
from egrm_graph.cli.verify import verify
from egrm_graph.errors import EgrmError
from egrm_graph.terminal.terminal_text import print_error

__all__ = ["app", "main"]

CANNOT = 2

_ENVIRONMENT = (
    "Without an option, the setting comes from the environment, such as EGRM_MODEL for --model, and then from its "
    "default. EGRM_BASE_URL holds a JSON list. The server's API key comes only from EGRM_API_KEY."
)


class Commands(TyperGroup):
    """Print an error that the user can fix in one line, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of the results has closed the pipe; typer ends quietly
        except (EgrmError, OSError) as error:
            print_error(str(error))
            raise typer.Exit(CANNOT) from error


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a character that the terminal lacks does not stop a run
    app()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"egrm {egrm_graph.__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
train = typer.Typer(no_args_is_help=True, help="Train the models of the graph.")


@app.callback(epilog=_ENVIRONMENT)
def egrm(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """A verifier that reasons only when needed: it answers fast where answers converge, and scores reasoning paths
    elsewhere.
    """


def _add(group: typer.Typer, command: Callable[..., None], name: str | None = None, epilog: str | None = None) -> None:
    group.command(name, help=reflowed(command.__doc__ or ""), epilog=epilog)(command)


for takes_settings in (ask, verify, demo, bench, trees, rollouts, mixture, synthesize):
    _add(app, takes_settings, epilog=_ENVIRONMENT)
for takes_none in (attack, replay, calibrate):
    _add(app, takes_none)
_add(app, serve_model, "serve-model")
_add(train, scorer)
_add(train, process_reward, "process-reward")
_add(train, judge)
_add(train, generator)
_add(train, ablation)
app.add_typer(train, name="train")
app.add_typer(trace, name="trace")
