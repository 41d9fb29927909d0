"""The command line `egrm`. Results go to standard output, everything else to standard error.

Exit status: 0 when everything got its answer, 1 when something did not, 2 when nothing could be done: wrong options, no
such file, no server, no such model. 130 when it was interrupted.
"""

from __future__ import annotations

import io
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import egrm_graph
from egrm_graph.cli.ablation import ablation
from egrm_graph.cli.ask import ask
from egrm_graph.cli.bench import bench
from egrm_graph.cli.calibrate import calibrate
from egrm_graph.cli.demo import demo
from egrm_graph.cli.replay import replay
from egrm_graph.cli.rollouts import rollouts
from egrm_graph.cli.serve_model import serve_model
from egrm_graph.cli.trace import trace
from egrm_graph.cli.train import scorer
from egrm_graph.cli.verify import verify
from egrm_graph.errors import EgrmError
from egrm_graph.terminal.terminal_text import tell_error

__all__ = ["app", "main"]

CANNOT = 2

_ENVIRONMENT = (
    "Without an option, the setting comes from the environment, such as EGRM_MODEL for --model, and then from its "
    "default. EGRM_BASE_URL holds a JSON list. The server's API key comes only from EGRM_API_KEY."
)


class Commands(TyperGroup):
    """Tells what went wrong in one line, without a traceback, where the user can do something about it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # whoever reads the results has had enough; typer ends it quietly
        except (EgrmError, OSError) as error:
            tell_error(str(error))
            raise typer.Exit(CANNOT) from error


def main() -> None:
    """Runs the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no terminal lacks so many characters that it stops a run
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
train = typer.Typer(no_args_is_help=True, help="Train the models that the graph works with.")


@app.callback(epilog=_ENVIRONMENT)
def egrm(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """A verifier that reasons only when needed: fast answers where they converge, scored reasoning else."""


app.command(epilog=_ENVIRONMENT)(ask)
app.command(epilog=_ENVIRONMENT)(verify)
app.command(epilog=_ENVIRONMENT)(demo)
app.command(epilog=_ENVIRONMENT)(bench)
app.command()(replay)
app.command()(calibrate)
app.command("serve-model")(serve_model)
app.command(epilog=_ENVIRONMENT)(rollouts)
train.command("scorer")(scorer)
train.command("ablation")(ablation)
app.add_typer(train, name="train")
app.add_typer(trace, name="trace")
