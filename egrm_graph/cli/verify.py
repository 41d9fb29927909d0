"""`egrm verify`: many questions, JSON lines in and JSON lines out."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer
from rich.console import Console
from rich.text import Text

from egrm_graph.cli.answering import Result, answer_lines
from egrm_graph.cli.counting import Counts, advance, progress_bar
from egrm_graph.cli.interruption import INTERRUPTED
from egrm_graph.cli.lines import Id, read_lines
from egrm_graph.cli.options import Concurrency, with_settings
from egrm_graph.cli.results import done_before, encode, open_results, pass_over
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.settings import Settings

if TYPE_CHECKING:
    from egrm_graph.parts import Parts
    from egrm_graph.verification import Verification


@with_settings
def verify(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="JSON lines; - is standard input.")],
    *,
    settings: Settings,
    output: Annotated[Path | None, typer.Option(help="Where the results go, instead of standard output.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where --output ends; what is in it is not asked again.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start --output anew.")] = False,
    concurrency: Concurrency = 32,
) -> None:
    """Verify questions from JSON lines, one JSON line out for each, in the same order.

    A line in is an object with a "question" (or chat "messages" that end with one), and perhaps an "id" (a string or
    a number; the line's number where there is none) and a "reference" answer. Other fields are passed over, and so
    are blank lines. A line out has the "id" and the verification or, where the line could not be asked, its number
    as "line" and the reason as "error"; the other lines go on.

    Exit status: 0 when every line got its answer, 1 when some did not, 2 when nothing could be asked.
    """
    err = Console(stderr=True, highlight=False)
    _check_output(file, output, resume=resume, overwrite=overwrite)
    done = done_before(output) if output is not None and resume else []
    counts = Counts(before=len(done))
    try:
        with _source(file) as source:
            parts = _loaded(settings, err)
            with progress_bar(err, counts, _total(file) if err.is_terminal else None) as progress:
                job = Job(source, output, done, concurrency, lambda result: advance(progress, counts, result))
                asyncio.run(verify_lines(parts, job))
    except KeyboardInterrupt:
        err.print(Text(f"egrm: interrupted; {_how_to_go_on(output)}"), soft_wrap=True)
        err.print(counts.told(), soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    err.print(counts.told(), soft_wrap=True)
    raise typer.Exit(0 if counts.all_answered else 1)


@dataclass(frozen=True)
class Job:
    """Where the lines come from and where their results go."""

    source: BinaryIO
    output: Path | None
    done: Sequence[Id]
    concurrency: int
    written: Callable[[Result], None]


async def verify_lines(parts: Parts, job: Job) -> None:
    """Does the job, with parts that it closes in the end."""
    from egrm_graph.graph import build_graph

    graph = build_graph(parts.settings, client=parts.client, scorer=parts.scorer)

    async def ask(asked: Any) -> Verification:
        answered: Verification = (await graph.ainvoke(asked))["verification"]
        return answered

    try:
        await parts.client.check()
        async with aclosing(read_lines(job.source)) as lines:
            if job.output is not None:
                await pass_over(lines, job.done, job.output)
            with _sink(job) as sink:

                def write(result: Result) -> None:
                    sink.write(encode(result))
                    sink.flush()
                    job.written(result)

                await answer_lines(lines, ask, write, concurrency=job.concurrency, check=parts.client.check)
    finally:
        await parts.aclose()


def _loaded(settings: Settings, err: Console) -> Parts:
    with err.status("Loading the model") if err.is_terminal else nullcontext():
        from egrm_graph.parts import assemble

        return assemble(settings)


def _check_output(file: str, output: Path | None, *, resume: bool, overwrite: bool) -> None:
    if output is None:
        if resume or overwrite:
            raise SettingsError(f"--{'resume' if resume else 'overwrite'} needs --output FILE")
        return
    if resume and overwrite:
        raise SettingsError("--resume keeps what is in --output, and --overwrite does not: give one of them")
    if not output.parent.is_dir():
        raise InputError(f"there is no folder {str(output.parent)!r} for --output; make it first")
    if output.is_file() and file != "-" and Path(file).is_file() and output.samefile(file):
        raise SettingsError(f"--output {output} is the input itself; name another file")
    if not (resume or overwrite) and output.is_file() and output.stat().st_size:
        raise InputError(f"{output} is there already; go on with it by --resume, or start it anew by --overwrite")


@contextmanager
def _source(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        # A handle of its own: the thread that reads it may still wait for a line when the program ends.
        yield open(os.dup(sys.stdin.fileno()), "rb")  # noqa: SIM115, PTH123
        return
    with Path(file).open("rb") as stream:
        yield stream


@contextmanager
def _sink(job: Job) -> Iterator[BinaryIO]:
    if job.output is None:
        yield sys.stdout.buffer
        return
    with open_results(job.output, resume=bool(job.done)) as stream:
        yield stream


def _total(file: str) -> int | None:
    if not Path(file).is_file():
        return None
    with Path(file).open("rb") as stream:
        return sum(1 for raw in stream if raw.strip())


def _how_to_go_on(output: Path | None) -> str:
    if output is None:
        return "a run with --output FILE can be gone on with"
    return f"the same command with --resume goes on with {output}"
