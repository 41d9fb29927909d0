"""The questions of a benchmark: from one or more files, of some levels, or a random sample."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from egrm_graph.benchmark.held_out import BenchQuestion, held_out
from egrm_graph.benchmark.published_sets import read_questions
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.settings import TaskName

HELD_OUT = "held-out"
N_HELD_OUT = 1000


@dataclass(frozen=True)
class Levels:
    """Levels to use: numbers, ranges of numbers, and names."""

    names: frozenset[str]
    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, text: str) -> Levels:
        """Read levels such as `1-3,5` or `easy,normal`.

        Raises:
            SettingsError: there are none, or a range is empty.
        """
        parts = [part.strip() for part in text.split(",") if part.strip()]
        ranges = [(int(low), int(high)) for part in parts for low, high in re.findall(r"^(\d+)-(\d+)$", part)]
        if empty := [f"{low}-{high}" for low, high in ranges if low > high]:
            raise SettingsError(f"--levels has the empty range {empty[0]}; put the smaller number first")
        if not parts:
            raise SettingsError("--levels is empty; name levels such as 1-3")
        return cls(frozenset(parts), tuple(ranges))

    def __contains__(self, level: int | str) -> bool:
        in_range = isinstance(level, int) and any(low <= level <= high for low, high in self.ranges)
        return in_range or str(level) in self.names


@dataclass(frozen=True)
class Choice:
    """Which questions of each file to use."""

    levels: Levels | None = None
    """None for all. A question without a level is always used."""
    sample: int | None = None
    """How many to use at most, chosen at random; None for all."""
    sample_seed: int = 0

    def of(self, questions: Sequence[BenchQuestion]) -> list[BenchQuestion]:
        """The chosen questions, in their order. A larger sample with the same seed contains the smaller one."""
        levels = self.levels
        chosen = [each for each in questions if levels is None or each.level == 0 or each.level in levels]
        if self.sample is None:
            return chosen
        places = list(range(len(chosen)))
        random.Random(self.sample_seed).shuffle(places)
        return [chosen[place] for place in sorted(places[: self.sample])]


def read_sets(sources: Sequence[str], task: TaskName, choice: Choice) -> list[BenchQuestion]:
    """The chosen questions of each source: a file, or `held-out`. With several sources, ids start with their names.

    Raises:
        InputError: a file cannot be read, two questions of a source have the same id, or a source has no question of
            the levels.
        SettingsError: a source is named twice.
    """
    if twice := sorted({source for source in sources if sources.count(source) > 1}):
        raise SettingsError(f"{twice[0]} is named twice; name each file of questions once")
    questions: list[BenchQuestion] = []
    for source, name in zip(sources, _names(sources), strict=True):
        read = held_out(N_HELD_OUT, task) if source == HELD_OUT else read_questions(Path(source))
        _require_different(read, source)
        chosen = choice.of(read)
        if not chosen:
            levels = ", ".join(sorted({str(question.level) for question in read}))
            raise InputError(f"{source} has no question of the levels that --levels names; it has {levels}")
        questions += chosen if len(sources) == 1 else [replace(each, id=f"{name}/{each.id}") for each in chosen]
    return questions


def _require_different(questions: Sequence[BenchQuestion], source: str) -> None:
    ids: set[str] = set()
    for question in questions:
        if question.id in ids:
            raise InputError(f"{source} has two questions with the id {question.id!r}; give each its own")
        ids.add(question.id)


def _names(sources: Sequence[str]) -> list[str]:
    """The file names without endings, after as many folders as it takes to make them differ."""
    paths = [Path(source) for source in sources]
    bare = [(*path.parts[:-1], path.name.partition(".")[0] or path.name) for path in paths]
    for depth in range(1, max(map(len, bare)) + 1):
        names = ["/".join(parts[-depth:]) for parts in bare]
        if len(set(names)) == len(names):
            return names
    return list(sources)
