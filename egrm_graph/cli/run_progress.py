"""The progress of a run: a bar in a terminal, and one line at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from egrm_graph.cli.answering import LineAnswer, LineResult
from egrm_graph.verification import Verification

if TYPE_CHECKING:
    from egrm_graph.training.roll_out import RolloutRow


@dataclass
class Counts(ABC, Generic[LineAnswer]):
    """Counts of the lines so far."""

    before: int = 0
    """Lines that an earlier run completed."""
    done: int = 0
    """Lines of this run."""
    failed: int = 0
    """Lines that could not be asked."""

    def add(self, result: LineResult[LineAnswer]) -> None:
        self.done += 1
        if result.answer is None:
            self.failed += 1
        else:
            self.count(result.answer)

    @property
    def all_answered(self) -> bool:
        return not self.failed

    @abstractmethod
    def count(self, answer: LineAnswer) -> None: ...

    @abstractmethod
    def summary(self) -> str: ...


@dataclass
class VerifyCounts(Counts[Verification]):
    """Counts of the questions of `egrm verify`."""

    direct: int = 0
    reasoned: int = 0
    abstained: int = 0
    degraded: int = 0
    """Direct or reasoned answers of runs that lost something."""
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

    def summary(self) -> str:
        parts = [f"{self.direct} direct", f"{self.reasoned} reasoned", f"{self.abstained} abstained"]
        parts += [f"{self.degraded} degraded"] if self.degraded else []
        parts += [f"{self.failed} bad lines"] if self.failed else []
        return f"{', '.join(parts)}; {self.completion_tokens:,} completion tokens"


@dataclass
class RolloutCounts(Counts["RolloutRow"]):
    """Counts of the questions of `egrm rollouts`."""

    paths: int = 0
    right: int = 0
    lost: int = 0
    requests: int = 0
    completion_tokens: int = 0
    steps: int = 0
    """Labeled steps."""
    values: float = 0.0
    shares: float = 0.0
    """The sums of their labels."""
    certain: int = 0
    """Steps whose share is 0 or 1."""

    def count(self, answer: RolloutRow) -> None:
        self.failed += not answer["paths"]
        self.paths += len(answer["paths"])
        self.right += sum(path["correct"] for path in answer["paths"])
        self.lost += answer["lost"]
        self.requests += answer.get("requests", 0)
        self.completion_tokens += answer.get("completion_tokens", 0)
        for step in (step for path in answer["paths"] for step in path.get("steps", ())):
            self.steps += 1
            self.values += step["value"]
            self.shares += step["share"]
            self.certain += step["share"] in (0, 1)

    def summary(self) -> str:
        parts = [f"{self.done} questions", f"{self.paths} paths", f"{self.right} of them right"]
        parts += [f"{self.lost} lost"] if self.lost else []
        parts += [f"{self.failed} bad lines"] if self.failed else []
        cost = f"{self.completion_tokens:,} completion tokens in {self.requests:,} requests"
        return f"{', '.join(parts)}; {cost}{self._labels() if self.steps else ''}"

    def _labels(self) -> str:
        return (
            f"; {self.steps:,} labeled steps, mean value {self.values / self.steps:.3f}, mean share "
            f"{self.shares / self.steps:.3f}, {self.certain / self.steps:.0%} of the shares 0 or 1"
        )


@contextmanager
def progress_bar(console: Console, counts: Counts[LineAnswer], total: int | None) -> Iterator[Progress]:
    """A progress bar for `advance`. It shows nothing if the console is not a terminal."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        progress.add_task(counts.summary(), total=total, completed=counts.before)
        yield progress


def advance(progress: Progress, counts: Counts[LineAnswer], result: LineResult[LineAnswer]) -> None:
    """Count a result, and update the bar."""
    counts.add(result)
    for task in progress.task_ids:
        progress.update(task, completed=counts.before + counts.done, description=counts.summary())
