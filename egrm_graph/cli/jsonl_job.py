"""A job on JSON lines: it reads them from a file or a pipe, answers them, and writes to a file or standard output.

`egrm verify` and `egrm rollouts` share it: the options for input and output, resuming, the progress bar, and the exit
status.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer
from rich.console import Console
from rich.text import Text

from egrm_graph.cli.answering import Answering, LineAnswer, LineResult, answer_lines
from egrm_graph.cli.interruption import INTERRUPTED
from egrm_graph.cli.json_lines import Line, read_lines
from egrm_graph.cli.model_loading import loaded, recorded
from egrm_graph.cli.results import (
    InputOrder,
    Mark,
    done_before,
    encode,
    match_results,
    open_results,
    remaining,
    sort_results,
)
from egrm_graph.cli.run_progress import Counts, advance, progress_bar
from egrm_graph.errors import InputError, SettingsError

if TYPE_CHECKING:
    from egrm_graph.parts import Parts
    from egrm_graph.settings import Settings
    from egrm_graph.tracing.store import Store

FileArgument = Annotated[str, typer.Argument(metavar="FILE|-", help="JSON lines. - is standard input.")]
OutputOption = Annotated[Path | None, typer.Option(help="Write the results to this file.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Continue the run in --output.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Start over, and replace --output.")]
ConcurrencyOption = Annotated[int, typer.Option(min=1, metavar="N", help="Questions at once, at most.")]


@dataclass(frozen=True)
class JsonlJob:
    """The source of the lines, and the destination of their results."""

    file: str
    output: Path | None
    concurrency: int
    done: Sequence[Mark] = ()
    """The lines that the output has results for already."""
    unique_ids: bool = False
    """Whether a line whose id was used before is an error. Applies only if the results go to a file."""
    wrapped: Callable[[Parts], Parts] = lambda parts: parts
    """Wraps the loaded parts, such as the client in one that saves what it draws."""

    @classmethod
    def prepared(
        cls,
        file: str,
        output: Path | None,
        concurrency: int,
        *,
        resume: bool,
        overwrite: bool,
        unique_ids: bool = False,
    ) -> JsonlJob:
        """The job, with the lines that an earlier run completed.

        Raises:
            SettingsError: the options conflict.
            InputError: the output cannot be written, or exists already.
        """
        _check_output(file, output, resume=resume, overwrite=overwrite)
        done = done_before(output) if output is not None and resume else []
        return cls(file, output, concurrency, done, unique_ids)

    def run(
        self,
        settings: Settings,
        answering: Callable[[Parts], Answering[LineAnswer]],
        counts: Counts[LineAnswer],
        err: Console,
    ) -> None:
        """Do the job with the models of the settings, and exit with its status.

        Raises:
            EgrmError: the input, the output or the models cannot be used.
        """
        counts.before = len(self.done)
        with recorded(settings, err) as store:
            try:
                with self._source() as source:
                    asyncio.run(self._run(source, settings, store, answering, counts=counts, err=err))
            except KeyboardInterrupt:
                err.print(Text(f"egrm: interrupted; {self._how_to_resume()}"), soft_wrap=True)
                err.print(counts.summary(), soft_wrap=True)
                raise typer.Exit(INTERRUPTED) from None
            err.print(counts.summary(), soft_wrap=True)
        raise typer.Exit(0 if counts.all_answered else 1)

    async def _run(
        self,
        source: BinaryIO,
        settings: Settings,
        store: Store | None,
        answering: Callable[[Parts], Answering[LineAnswer]],
        *,
        counts: Counts[LineAnswer],
        err: Console,
    ) -> None:
        parts = await loaded(settings, store, err, wrapped=self.wrapped)
        try:
            with progress_bar(err, counts, self._total() if err.is_terminal else None) as progress:

                def written(result: LineResult[LineAnswer]) -> None:
                    advance(progress, counts, result)

                await self._answer(source, answering(parts), written)
        finally:
            await parts.aclose()

    async def _answer(
        self, source: BinaryIO, answering: Answering[LineAnswer], written: Callable[[LineResult[LineAnswer]], None]
    ) -> None:
        async with aclosing(read_lines(source)) as lines:
            if self._sorts is None:
                with self._sink() as sink:
                    await self._answer_lines(lines, answering, sink, written)
                return
            order = InputOrder(unique_ids=self.unique_ids)
            unanswered = await match_results(lines, self.done, self._sorts, order)
            with self._sink() as sink:
                await self._answer_lines(remaining(unanswered, lines, order), answering, sink, written)
            sort_results(self._sorts, order)

    async def _answer_lines(
        self,
        lines: AsyncIterator[Line],
        answering: Answering[LineAnswer],
        sink: BinaryIO,
        written: Callable[[LineResult[LineAnswer]], None],
    ) -> None:
        in_order = self._sorts is None

        def write(result: LineResult[LineAnswer]) -> None:
            sink.write(encode(result, numbered=not in_order))
            sink.flush()
            written(result)

        await answer_lines(lines, answering, write, concurrency=self.concurrency, in_order=in_order)

    @property
    def _sorts(self) -> Path | None:
        """The output, if it can be sorted at the end. A pipe or a device cannot."""
        output = self.output
        return None if output is None or (output.exists() and not output.is_file()) else output

    @contextmanager
    def _source(self) -> Iterator[BinaryIO]:
        if self.file == "-":
            # A separate handle, because the thread that reads it may still wait for a line when the program ends.
            yield open(os.dup(sys.stdin.fileno()), "rb")  # noqa: SIM115, PTH123
            return
        with Path(self.file).open("rb") as stream:
            yield stream

    @contextmanager
    def _sink(self) -> Iterator[BinaryIO]:
        if self.output is None:
            yield sys.stdout.buffer
            return
        with open_results(self.output, resume=bool(self.done)) as stream:
            yield stream

    def _total(self) -> int | None:
        if not Path(self.file).is_file():
            return None
        with Path(self.file).open("rb") as stream:
            return sum(1 for raw in stream if raw.strip())

    def _how_to_resume(self) -> str:
        if self.output is None:
            return "a run with --output FILE can be resumed"
        return f"run the same command with --resume to continue {self.output}"


def _check_output(file: str, output: Path | None, *, resume: bool, overwrite: bool) -> None:
    if output is None:
        if resume or overwrite:
            raise SettingsError(f"--{'resume' if resume else 'overwrite'} needs --output FILE")
        return
    if resume and overwrite:
        raise SettingsError("--resume and --overwrite conflict; use one of them")
    if not output.parent.is_dir():
        raise InputError(f"the folder {str(output.parent)!r} of --output is missing; create it first")
    if output.is_file() and file != "-" and Path(file).is_file() and output.samefile(file):
        raise SettingsError(f"--output {output} is the input itself; name another file")
    if not (resume or overwrite) and output.is_file() and output.stat().st_size:
        raise InputError(f"{output} exists; continue it with --resume, or start over with --overwrite")
