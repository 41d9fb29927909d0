"""What people do without a gate: reason about every question, and vote over the paths.

The paths have the same seeds as those of the graph, so the first four are the ones that the graph draws.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from egrm_graph.benchmark.demo_methods import is_right
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.clients.client import Completion, add_usage, no_usage
from egrm_graph.drawing.calls import Limits, draw
from egrm_graph.drawing.samples import path_of
from egrm_graph.parts import Parts
from egrm_graph.strategies.strategy import Known, PathCall
from egrm_graph.uncertainty.stopping import Standing, StoppingRule
from egrm_graph.uncertainty.votes import Votes, classes, tally
from egrm_graph.verification import Asked, Path, Usage

MAX_PATHS = 40
"""For a method that decides when to stop. Published for both Adaptive-Consistency and ESC."""

Confidence = Callable[[Sequence[Sequence[float]]], float]
"""The confidence of a path, from the top k log-probabilities of its tokens, (T, k), the largest first."""


@dataclass
class PathSampler:
    """Draws the paths of one question on request."""

    parts: Parts
    question: BenchQuestion
    max_paths: int
    logprobs: int = 0
    paths: list[Path] = field(default_factory=list)
    completions: list[Completion | None] = field(default_factory=list)
    """None for a lost path."""
    usage: Usage = field(default_factory=no_usage)

    def __post_init__(self) -> None:
        task, settings = self.parts.task, self.parts.settings
        asked = Asked(**task.ask(self.question.input, settings), run_id=uuid.uuid4().hex, started_at=time.time())
        known = Known(asked, task.views(asked, settings, self.max_paths), task, self.parts.prompts, settings)
        sampling = known.sampling("expand_cot", logprobs=self.logprobs)
        self._remaining = _in_turn(known.calls("expand_cot", known.path_views(), sampling=sampling))

    @property
    def answers(self) -> list[str | None]:
        return [path["answer"] for path in self.paths]

    @property
    def votes(self) -> Votes:
        return tally(self.answers, self.parts.task.same)

    async def more(self, n: int) -> list[str | None]:
        """Draw the next `n` paths, or fewer if no more remain, and return their answers."""
        calls = list(islice(self._remaining, n))
        drawing = await draw(self.parts.client, [call for call, _ in calls], Limits())
        for (call, view), (outcome,) in zip(calls, drawing.outcomes, strict=True):
            completion = outcome if isinstance(outcome, Completion) else None
            self.completions.append(completion)
            self.paths.append(path_of(outcome, call, view, self.parts.task))
        self.usage = add_usage(self.usage, drawing.usage)
        return self.answers[len(self.paths) - len(calls) :]


def _in_turn(calls: Sequence[PathCall]) -> Iterator[PathCall]:
    """The calls of the views in turn, so any part of them has all orders of the candidates."""
    by_view: dict[int, list[PathCall]] = {}
    for call in calls:
        by_view.setdefault(id(call.view), []).append(call)
    for i in range(max(map(len, by_view.values()), default=0)):
        yield from (of_view[i] for of_view in by_view.values() if i < len(of_view))


async def majority(paths: PathSampler) -> str | None:
    """Self-consistency (Wang et al. 2022, arXiv:2203.11171)."""
    await paths.more(paths.max_paths)
    return paths.votes.top


async def any_right(paths: PathSampler) -> str | None:
    """A right answer if any path has one, which is the best possible choice; otherwise the vote."""
    await paths.more(paths.max_paths)
    right = (answer for answer in paths.answers if is_right(paths.parts, paths.question, answer))
    return next(right, paths.votes.top)


async def one_by_one(paths: PathSampler, enough: StoppingRule) -> str | None:
    """Draw one path at a time until the votes are enough. See Adaptive-Consistency (arXiv:2305.11860)."""
    while await paths.more(1):
        if enough(Standing(tuple(classes(paths.answers, paths.parts.task.same)), paths.max_paths)):
            break
    return paths.votes.top


async def by_windows(paths: PathSampler, size: int) -> str | None:
    """The answer of the first window whose paths all agree, or the vote over all paths if none does.

    Source: ESC, arXiv:2401.10480.
    """
    while window := await paths.more(size):
        groups = set(classes(window, paths.parts.task.same))
        if len(window) == size and len(groups) == 1 and None not in groups:
            return window[0]
    return paths.votes.top


async def weighted(
    paths: PathSampler, confidence: Confidence, weights: Callable[[Sequence[float]], Sequence[float]]
) -> str | None:
    """The answer with the largest total weight. A path without a confidence counts only if no path has one."""
    await paths.more(paths.max_paths)
    groups = classes(paths.answers, paths.parts.task.same)
    known = [
        (group, value)
        for group, completion in zip(groups, paths.completions, strict=True)
        if group is not None and completion is not None and (value := _confidence(completion, confidence)) is not None
    ]
    if not known:
        return paths.votes.top
    shares: dict[int, float] = {}
    for (group, _), weight in zip(known, weights([value for _, value in known]), strict=True):
        shares[group] = shares.get(group, 0.0) + weight
    return paths.answers[max(shares, key=lambda group: shares[group])]


def _confidence(completion: Completion, confidence: Confidence) -> float | None:
    if not completion.top_logprobs:
        return None
    return confidence([sorted(top.values(), reverse=True) for top in completion.top_logprobs])


def borda(values: Sequence[float], power: float = 0.5) -> list[float]:
    """Weights by rank: (n - rank + 1) ** power, the largest value first, and equal values in order.

    Source: self-certainty, arXiv:2502.18581, where it is called Borda voting.
    """
    ranks = sorted(range(len(values)), key=lambda i: -values[i])
    weights = [0.0] * len(values)
    for rank, i in enumerate(ranks, start=1):
        weights[i] = (len(values) - rank + 1) ** power
    return weights
