"""What a user would do without a gate: reason about every question, and vote over the paths.

Paths have the seeds of the graph's own, so that the first four of them are the ones that it draws.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from egrm_graph.benchmark.held_out import Question
from egrm_graph.clients.client import Completion, add_usage, no_usage
from egrm_graph.drawing.calls import Limits, draw
from egrm_graph.drawing.samples import path_of
from egrm_graph.parts import Parts
from egrm_graph.strategies.strategy import Known, PathCall
from egrm_graph.uncertainty.stopping import Standing, StoppingRule
from egrm_graph.uncertainty.votes import Votes, classes, tally
from egrm_graph.verification import Asked, Usage

MOST_PATHS = 40
"""Of a strategy that stops by itself; published for both Adaptive-Consistency and ESC."""

Confidence = Callable[[Sequence[Sequence[float]]], float]
"""Of a path, from the log-probabilities of its tokens' likeliest, (T, k), the largest first."""


@dataclass
class Paths:
    """The paths of one question, drawn as they are asked for."""

    parts: Parts
    question: Question
    most: int
    logprobs: int = 0
    answers: list[str | None] = field(default_factory=list)
    drawn: list[Completion | None] = field(default_factory=list)
    """None for a path that was lost."""
    usage: Usage = field(default_factory=no_usage)

    def __post_init__(self) -> None:
        task, settings = self.parts.task, self.parts.settings
        asked = Asked(**task.ask(self.question.given, settings), run_id=uuid.uuid4().hex, started_at=time.time())
        known = Known(asked, task.views(asked, settings, self.most), task, self.parts.prompts, settings)
        sampling = known.sampling("expand_cot", logprobs=self.logprobs)
        self._rest = _in_turn(known.calls("expand_cot", known.path_views(), sampling=sampling))

    @property
    def votes(self) -> Votes:
        return tally(self.answers, self.parts.task.same)

    async def more(self, n: int) -> list[str | None]:
        """The answers of the next `n` paths; fewer where there are no more."""
        calls = list(islice(self._rest, n))
        drawing = await draw(self.parts.client, [call for call, _ in calls], Limits())
        for (call, view), (outcome,) in zip(calls, drawing.outcomes, strict=True):
            completion = outcome if isinstance(outcome, Completion) else None
            self.drawn.append(completion)
            self.answers.append(path_of(outcome, call, view, self.parts.task)["answer"])
        self.usage = add_usage(self.usage, drawing.usage)
        return self.answers[len(self.answers) - len(calls) :]


def _in_turn(calls: Sequence[PathCall]) -> Iterator[PathCall]:
    """One call of each view after another, so that every stretch has seen the candidates in all orders."""
    by_view: dict[int, list[PathCall]] = {}
    for call in calls:
        by_view.setdefault(id(call.view), []).append(call)
    for i in range(max(map(len, by_view.values()), default=0)):
        yield from (each[i] for each in by_view.values() if i < len(each))


async def majority(paths: Paths) -> str | None:
    """Self-consistency (Wang et al. 2022, arXiv:2203.11171)."""
    await paths.more(paths.most)
    return paths.votes.top


async def one_by_one(paths: Paths, enough: StoppingRule) -> str | None:
    """One path after another until the votes are enough; see Adaptive-Consistency (arXiv:2305.11860)."""
    while await paths.more(1):
        if enough(Standing(tuple(classes(paths.answers, paths.parts.task.same)), paths.most)):
            break
    return paths.votes.top


async def by_windows(paths: Paths, size: int) -> str | None:
    """Until all paths of a window give one answer, which then is the answer; else the vote over all of them.

    Source: ESC, arXiv:2401.10480.
    """
    while window := await paths.more(size):
        groups = set(classes(window, paths.parts.task.same))
        if len(window) == size and len(groups) == 1 and None not in groups:
            return window[0]
    return paths.votes.top


async def weighted(
    paths: Paths, confidence: Confidence, weights: Callable[[Sequence[float]], Sequence[float]]
) -> str | None:
    """The answer whose paths' weights add up to most. A path without a confidence has no say, if another has one."""
    await paths.more(paths.most)
    groups = classes(paths.answers, paths.parts.task.same)
    known = [
        (group, value)
        for group, completion in zip(groups, paths.drawn, strict=True)
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
    """Weights by rank: (n - rank + 1) ** power, the largest value first; equal ones in the order given.

    Source: self-certainty, arXiv:2502.18581, which calls it Borda voting.
    """
    ranks = sorted(range(len(values)), key=lambda i: -values[i])
    weights = [0.0] * len(values)
    for rank, i in enumerate(ranks, start=1):
        weights[i] = (len(values) - rank + 1) ** power
    return weights
