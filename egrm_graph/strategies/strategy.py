"""The path strategy: which reasoning paths are drawn for a question, in rounds of model calls.

Paths are drawn in waves, until a stopping rule has enough of them. In each wave, a strategy is asked for the calls of
the next round, given everything that earlier rounds brought, until it has no more. Then it turns what came back into
paths. So it can draw independent paths in one round; grow a tree, whose calls share their prefixes; work in stages,
each on the result of the one before; stop early; or leave a question to another strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

from egrm_graph.clients.client import Completion, Sampling
from egrm_graph.drawing.calls import Call, Lost
from egrm_graph.drawing.samples import path_of, seeds
from egrm_graph.drawing.sampling import sampling_of
from egrm_graph.prompting import Prompts, PromptSource
from egrm_graph.reasons import Reason
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.task import Task
from egrm_graph.verification import Asked, Message, Path, View

NODE = "expand_cot"


class PathCall(NamedTuple):
    """One model call of a strategy, and the view that it shows."""

    call: Call
    view: View

    @property
    def aside(self) -> str:
        """What the call is for, if it gives no path but something that later calls use; see `Known.aside`."""
        return self.call.aside


class PathInView(NamedTuple):
    """One path, and the view that it was drawn in."""

    path: Path
    view: View


@dataclass(frozen=True)
class Round:
    """The calls of one round, with the outcome of each of their seeds."""

    calls: Sequence[PathCall]
    outcomes: Sequence[Sequence[Completion | Lost]]


@dataclass(frozen=True)
class Known:
    """Everything a strategy can go by, in one wave of paths."""

    asked: Asked
    views: Sequence[View]
    """Where paths are wanted in this wave: each view with its number of paths."""
    task: Task
    prompts: Prompts
    settings: RunSettings
    rounds: tuple[Round, ...] = ()
    """The rounds of this wave so far."""
    scored: Sequence[Path] = ()
    """The paths of earlier waves, with their scores."""
    numbers: Sequence[int] = ()
    """The numbers of the first calls of this wave. They are those of its paths, among all that are planned."""
    next_number: int = 0
    """The number of the first call after these; numbers go on from there."""
    logprobs: int = 0
    """The log-probabilities that paths have even if the strategy requests fewer; see `Sampling`."""

    def path_views(self) -> list[View]:
        """The view of each path."""
        return [view for view in self.views for _ in range(view["samples"])]

    def sampling(self, prompt: str, *, logprobs: int = 0) -> Sampling:
        """How paths are sampled, as the settings say; see `Sampling` for `logprobs`."""
        logprobs = max(logprobs, self.logprobs)
        return sampling_of(self.settings, "path", logprobs, self.prompts.stop_of(prompt, self.settings))

    def calls(
        self,
        prompt: str,
        views: Sequence[View],
        *,
        sampling: Sampling | None = None,
        form: Callable[[View], str | None] | None = None,
        **variables: object,
    ) -> list[PathCall]:
        """One call for each view, with the prompt of this name. `variables` are added to those of the view. `form` is
        the pattern of a reply in a view, which restricts it if `path_reply` says so."""
        rendered: dict[int, list[Message]] = {}
        for view in views:
            if id(view) not in rendered:
                filled = {**view["variables"], **variables}
                rendered[id(view)] = self.prompts.render(prompt, filled, view["history"])
        sampling = self.sampling(prompt) if sampling is None else sampling
        if form is None or self.settings.path_reply == "free":
            samplings = [sampling] * len(views)
        else:
            samplings = [replace(sampling, pattern=form(view)) for view in views]
        before = len(self.drawn)
        numbers = [self.number(i) for i in range(before, before + len(views))]
        all_seeds = seeds(self.settings.seed, NODE, self.asked["key"], max(numbers, default=0) + 1)
        run_id = self.asked["run_id"]
        return [
            PathCall(Call(rendered[id(view)], own, (all_seeds[number],), f"{run_id}.{NODE}.{number}"), view)
            for view, own, number in zip(views, samplings, numbers, strict=True)
        ]

    def aside(
        self,
        prompt: str,
        view: View,
        *,
        sampling: Sampling | None = None,
        labels: Sequence[str] = (),
        place: int = 0,
        **variables: object,
    ) -> PathCall:
        """A call with the prompt of this name that gives no path. Its seed and its request id have the prompt's name
        in place of a number among the paths. `place` is its place among such calls of its round. `variables` are added
        to those of the view. See `Call` for `labels`."""
        rendered = self.prompts.render(prompt, {**view["variables"], **variables}, view["history"])
        sampling = self.sampling(prompt) if sampling is None else sampling
        own_seeds = seeds(self.settings.seed, prompt, self.asked["key"], place + 1)[place:]
        number = len(self.scored) + sum(call.aside == prompt for call, _ in self._outcomes) + place
        request_id = f"{self.asked['run_id']}.{prompt}.{number}"
        return PathCall(Call(rendered, sampling, own_seeds, request_id, aside=prompt, labels=tuple(labels)), view)

    def outcome_of(self, aside: str) -> Completion | Lost | None:
        """What the last call for this brought in this wave; None if there was none."""
        found = [outcomes[0] for call, outcomes in self._outcomes if call.aside == aside]
        return found[-1] if found else None

    @property
    def drawn(self) -> list[tuple[PathCall, Completion | Lost]]:
        """Every call for a path in this wave so far, with its outcome."""
        return [(call, outcomes[0]) for call, outcomes in self._outcomes if not call.aside]

    @property
    def _outcomes(self) -> Iterator[tuple[PathCall, Sequence[Completion | Lost]]]:
        for each in self.rounds:
            yield from zip(each.calls, each.outcomes, strict=True)

    def number(self, i: int) -> int:
        """The number of the i-th call for a path in this wave. Its seed and its request id follow from it."""
        own = len(self.numbers)
        return self.numbers[i] if i < own else self.next_number + i - own

    def read(self, call: PathCall, outcome: Completion | Lost) -> PathInView:
        """The path in one outcome."""
        return PathInView(path_of(outcome, call.call, call.view, self.task), call.view)

    def after(self, round: Round) -> Known:
        """The same with one more round."""
        return replace(self, rounds=(*self.rounds, round))


@runtime_checkable
class PathStrategy(Protocol):
    """One way to draw reasoning paths."""

    @property
    def name(self) -> str: ...

    @property
    def prompts(self) -> Mapping[str, PromptSource | None]:
        """The prompts that it uses, by name: each with a template of its own (a file or a text), or None for the one in
        the task's set."""
        ...

    @property
    def variables(self) -> Mapping[str, Any]:
        """Example values of the variables that it adds to those of the task. Its prompts are tried with them once."""
        ...

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        """The calls of the next round; empty when no more are needed."""
        ...

    def paths(self, known: Known) -> Sequence[PathInView]:
        """The paths, from what came back in all rounds of this wave. A strategy may score its paths; then every path
        has a score or the reason why it is unscored, and no scorer grades them."""
        ...


@runtime_checkable
class GrowsTree(Protocol):
    """A strategy that says whether its paths branch from one another."""

    @property
    def continues_tokens(self) -> bool:
        """Whether it continues paths from their token ids, which the client has to support. Its paths are not votes."""
        ...


def grows_tree(strategy: PathStrategy) -> bool:
    """Whether the paths of a strategy branch from one another."""
    return isinstance(strategy, GrowsTree) and strategy.continues_tokens


@runtime_checkable
class DrawsOneCompletion(Protocol):
    """A strategy that says whether all its paths come from one completion."""

    @property
    def one_completion(self) -> bool:
        """Whether they do. Such paths depend on one another, so they are not votes, and nothing can stop between them.
        Lost ones are counted among the paths, not among the calls."""
        ...


def one_completion(strategy: PathStrategy) -> bool:
    """Whether all paths of a strategy come from one completion."""
    return isinstance(strategy, DrawsOneCompletion) and strategy.one_completion


@runtime_checkable
class Notes(Protocol):
    """A strategy that notes what is unusual about its paths, and what it lost next to them."""

    def notes(self, known: Known) -> Sequence[Reason]:
        """The reasons to report for this wave. See `reasons.loses` for whether one says that something is lost."""
        ...


@runtime_checkable
class JudgesCandidates(Protocol):
    """A strategy that says whether it only judges candidates."""

    @property
    def judges(self) -> bool:
        """Whether it needs a task that judges candidates, in a format that has principles with sub-verdicts."""
        ...


@runtime_checkable
class ReadsScores(Protocol):
    """A strategy that may go by the scores of the steps of earlier waves."""

    def reads_scores(self, settings: RunSettings) -> bool:
        """Whether it does. Then paths are drawn in waves, even if nothing stops them early."""
        ...


@runtime_checkable
class DrawsIndependently(Protocol):
    """A strategy that may say that its paths do not depend on one another."""

    @property
    def independent(self) -> bool:
        """Whether a wave has one round, in which each call becomes the path of its place. Then a wave ends as soon as
        its first paths are enough, and the calls after them are canceled."""
        ...
