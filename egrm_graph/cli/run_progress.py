"""How far a run is: a progress bar where somebody watches, and one line in the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from egrm_graph.cli.answering import Result
from egrm_graph.verification import Verification

if TYPE_CHECKING:
    from egrm_graph.training.roll_out import RolloutRow

Answer = TypeVar("Answer", bound=Mapping[str, Any])


@dataclass
class Counts(ABC, Generic[Answer]):
    """What came of the lines so far."""

    before: int = 0
    """Lines that an earlier run has done."""
    done: int = 0
    """Lines of this run."""
    failed: int = 0
    """Lines that could not be asked."""

    def add(self, result: Result[Answer]) -> None:
        self.done += 1
        if result.answer is None:
            self.failed += 1
        else:
            self.count(result.answer)

    @property
    def all_answered(self) -> bool:
        return not self.failed

    @abstractmethod
    def count(self, answer: Answer) -> None: ...

    @abstractmethod
    def told(self) -> str: ...


@dataclass
class VerifyCounts(Counts[Verification]):
    """What came of the questions of `egrm verify`."""

    direct: int = 0
    reasoned: int = 0
    abstained: int = 0
    degraded: int = 0
    """Answers, direct or reasoned, with something lost on the way."""
    completion_tokens: int = 0

    @property
    def all_answered(self) -> bool:
        return not (self.abstained or self.failed)

    def count(self, answer: Verification) -> None:
        self.completion_tokens += answer["usage"]["completion_tokens"]
        if answer["status"] == "abstained":
            self.abstained += 1
            return
        self.degraded += answer["status"] == "degraded"
        if answer["route"] == "direct":
            self.direct += 1
        else:
            self.reasoned += 1

    def told(self) -> str:
        parts = [f"{self.direct} direct", f"{self.reasoned} reasoned", f"{self.abstained} abstained"]
        parts += [f"{self.degraded} degraded"] if self.degraded else []
        parts += [f"{self.failed} bad lines"] if self.failed else []
        return f"{', '.join(parts)}; {self.completion_tokens:,} completion tokens"


@dataclass
class RolloutCounts(Counts["RolloutRow"]):
    """What came of the questions of `egrm rollouts`."""

    paths: int = 0
    right: int = 0
    lost: int = 0
    completion_tokens: int = 0

    def count(self, answer: RolloutRow) -> None:
        self.failed += not answer["paths"]
        self.paths += len(answer["paths"])
        self.right += sum(path["correct"] for path in answer["paths"])
        self.lost += answer["lost"]
        self.completion_tokens += sum(path["n_tokens"] or 0 for path in answer["paths"])

    def told(self) -> str:
        parts = [f"{self.done} questions", f"{self.paths} paths", f"{self.right} of them right"]
        parts += [f"{self.lost} lost"] if self.lost else []
        parts += [f"{self.failed} bad lines"] if self.failed else []
        return f"{', '.join(parts)}; {self.completion_tokens:,} completion tokens"


@contextmanager
def progress_bar(console: Console, counts: Counts[Answer], total: int | None) -> Iterator[Progress]:
    """A bar that `advance` moves on; it shows nothing where the console is no terminal."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(counts.told(), total=total, completed=counts.before)
        yield progress


def advance(progress: Progress, counts: Counts[Answer], result: Result[Answer]) -> None:
    """Counts the result, and shows it."""
    counts.add(result)
    for task in progress.task_ids:
        progress.update(task, completed=counts.before + counts.done, description=counts.told())
