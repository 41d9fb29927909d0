"""How far a run is: a progress bar where somebody watches, and one line in the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from egrm_graph.cli.answering import Result


@dataclass
class Counts:
    """What came of the lines so far."""

    before: int = 0
    """Lines that an earlier run has done."""
    direct: int = 0
    reasoned: int = 0
    abstained: int = 0
    failed: int = 0
    """Lines that could not be asked."""
    degraded: int = 0
    """Answers, direct or reasoned, with something lost on the way."""
    completion_tokens: int = 0

    @property
    def done(self) -> int:
        """Lines of this run."""
        return self.direct + self.reasoned + self.abstained + self.failed

    @property
    def all_answered(self) -> bool:
        return not (self.abstained or self.failed)

    def add(self, result: Result) -> None:
        if result.verification is None:
            self.failed += 1
            return
        self.completion_tokens += result.verification["usage"]["completion_tokens"]
        if result.verification["status"] == "abstained":
            self.abstained += 1
            return
        self.degraded += result.verification["status"] == "degraded"
        if result.verification["route"] == "direct":
            self.direct += 1
        else:
            self.reasoned += 1

    def told(self) -> str:
        parts = [f"{self.direct} direct", f"{self.reasoned} reasoned", f"{self.abstained} abstained"]
        parts += [f"{self.degraded} degraded"] if self.degraded else []
        parts += [f"{self.failed} bad lines"] if self.failed else []
        return f"{', '.join(parts)}; {self.completion_tokens:,} completion tokens"


@contextmanager
def progress_bar(console: Console, counts: Counts, total: int | None) -> Iterator[Progress]:
    """A bar that `advance` moves on; it shows nothing where the console is no terminal."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(counts.told(), total=total, completed=counts.before)
        yield progress


def advance(progress: Progress, counts: Counts, result: Result) -> None:
    """Counts the result, and shows it."""
    counts.add(result)
    for task in progress.task_ids:
        progress.update(task, completed=counts.before + counts.done, description=counts.told())
