"""A job on JSON lines: from a file or a pipe, through something that answers them, to a file or standard output.

What `egrm verify` and `egrm rollouts` have in common: the input's and the output's options, going on after an
interruption, the progress bar, and the exit status.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from egrm_graph.cli.answering import Asking, Result, answer_lines
from egrm_graph.cli.interruption import INTERRUPTED
from egrm_graph.cli.json_lines import Line, read_lines
from egrm_graph.cli.model_loading import loaded, recorded
from egrm_graph.cli.results import (
    Mark,
    Order,
    done_before,
    encode,
    open_results,
    pass_over,
    put_in_order,
    remaining,
)
from egrm_graph.cli.run_progress import Counts, advance, progress_bar
from egrm_graph.errors import InputError, SettingsError

if TYPE_CHECKING:
    from egrm_graph.parts import Parts
    from egrm_graph.settings import Settings
    from egrm_graph.tracing.store import Store

Answer = TypeVar("Answer", bound=Mapping[str, Any])

File = Annotated[str, typer.Argument(metavar="FILE|-", help="JSON lines. - is standard input.")]
Output = Annotated[Path | None, typer.Option(help="Write the results to this file.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in --output.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start over, and replace --output.")]
Concurrency = Annotated[int, typer.Option(min=1, metavar="N", help="Questions at once, at most.")]


@dataclass(frozen=True)
class Job:
    """Where the lines come from, and where their results go."""

    file: str
    output: Path | None
    concurrency: int
    done: Sequence[Mark] = ()
    """What the output has of it already."""
    unique_ids: bool = False
    """Whether a line whose id was used before is an error. Only where results go to a file."""

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
    ) -> Job:
        """The job, with what an earlier run has done of it.

        Raises:
            SettingsError: the options do not fit together.
            InputError: the output cannot be written, or is there already.
        """
        _check_output(file, output, resume=resume, overwrite=overwrite)
        done = done_before(output) if output is not None and resume else []
        return cls(file, output, concurrency, done, unique_ids)

    def run(
        self, settings: Settings, asking: Callable[[Parts], Asking[Answer]], counts: Counts[Answer], err: Console
    ) -> None:
        """Does the job with the models of the settings, and ends the program with its status.

        Raises:
            EgrmError: the input, the output or the models cannot be used.
        """
        counts.before = len(self.done)
        with recorded(settings, err) as store:
            try:
                with self._source() as source:
                    asyncio.run(self._run(source, settings, store, asking, counts=counts, err=err))
            except KeyboardInterrupt:
                err.print(Text(f"egrm: interrupted; {self._how_to_go_on()}"), soft_wrap=True)
                err.print(counts.told(), soft_wrap=True)
                raise typer.Exit(INTERRUPTED) from None
            err.print(counts.told(), soft_wrap=True)
        raise typer.Exit(0 if counts.all_answered else 1)

    async def _run(
        self,
        source: BinaryIO,
        settings: Settings,
        store: Store | None,
        asking: Callable[[Parts], Asking[Answer]],
        *,
        counts: Counts[Answer],
        err: Console,
    ) -> None:
        parts = await loaded(settings, store, err)
        try:
            with progress_bar(err, counts, self._total() if err.is_terminal else None) as progress:

                def written(result: Result[Answer]) -> None:
                    advance(progress, counts, result)

                await self._answer(source, asking(parts), written)
        finally:
            await parts.aclose()

    async def _answer(
        self, source: BinaryIO, asking: Asking[Answer], written: Callable[[Result[Answer]], None]
    ) -> None:
        async with aclosing(read_lines(source)) as lines:
            if self._sorts is None:
                with self._sink() as sink:
                    await self._answer_lines(lines, asking, sink, written)
                return
            order = Order(unique_ids=self.unique_ids)
            passed_over = await pass_over(lines, self.done, self._sorts, order)
            with self._sink() as sink:
                await self._answer_lines(remaining(passed_over, lines, order), asking, sink, written)
            put_in_order(self._sorts, order)

    async def _answer_lines(
        self,
        lines: AsyncIterator[Line],
        asking: Asking[Answer],
        sink: BinaryIO,
        written: Callable[[Result[Answer]], None],
    ) -> None:
        in_order = self._sorts is None

        def write(result: Result[Answer]) -> None:
            sink.write(encode(result, numbered=not in_order))
            sink.flush()
            written(result)

        await answer_lines(lines, asking, write, concurrency=self.concurrency, in_order=in_order)

    @property
    def _sorts(self) -> Path | None:
        """The output, where it can be sorted in the end: not a pipe or a device."""
        output = self.output
        return None if output is None or (output.exists() and not output.is_file()) else output

    @contextmanager
    def _source(self) -> Iterator[BinaryIO]:
        if self.file == "-":
            # A handle of its own: the thread that reads it may still wait for a line when the program ends.
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

    def _how_to_go_on(self) -> str:
        if self.output is None:
            return "a run with --output FILE can be gone on with"
        return f"the same command with --resume goes on with {self.output}"


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
