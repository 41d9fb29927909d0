"""The methods that `egrm bench` compares. To add one, add an entry to `METHODS`.

The name of a method may have parameters, such as the 8 of `sc@8`, and end in settings that it is run with, such as
`egrm[paths=8,selection=best_score]`. A derived method asks no model: its figures follow from those of `never`,
`always`, and `egrm`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from langgraph.graph.state import CompiledStateGraph
from numpy.typing import NDArray

from egrm_graph.benchmark.baselines import (
    MAX_PATHS,
    Confidence,
    PathSampler,
    any_right,
    borda,
    by_windows,
    majority,
    one_by_one,
    weighted,
)
from egrm_graph.benchmark.demo_methods import (
    Method,
    Outcome,
    Texts,
    always_reason,
    is_right,
    outcome_of,
    rewardbench_of,
)
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.clients.saved_draws import NOT_DRAWN, SavedDraws
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.graph import build_graph
from egrm_graph.parts import Parts
from egrm_graph.settings import RunSettings, Settings
from egrm_graph.state import Input, Output, State
from egrm_graph.uncertainty.confidence import mean_confidence, text_self_certainty
from egrm_graph.uncertainty.stopping import beta

TOP_LOGPROBS = 20
_NUMBER = "([1-9][0-9]*)"
_GATE = r"egrm(?::([a-z_]+)(?:=(-?[0-9.]+))?)?(?:@([1-9][0-9]*))?(?:\+([a-z]+))?"

AnswerQuestion = Callable[[BenchQuestion], Awaitable[Outcome]]
ReasoningRate = Callable[[NDArray[np.float64], NDArray[np.float64], float], NDArray[np.float64]]
"""How often each question is reasoned about, given where `never` is right (1 or 0), where `always` is, and the share of
questions that `egrm` reasons about."""


@dataclass(frozen=True)
class MethodBuilder:
    """What a method is built with."""

    name: str
    """The name of the method, with its parameters and settings."""
    parts: Parts
    """With the settings in the name."""
    graph: CompiledStateGraph[State, RunSettings, Input, Output]
    overrides: Mapping[str, Any]
    """The settings in the name."""

    def gated(self, overrides: Mapping[str, Any]) -> AnswerQuestion:
        """Run the graph with these settings.

        Raises:
            SettingsError: a value is out of range, or the name sets it twice.
        """
        self._overridden(overrides)
        configurable = {"egrm": {**self.overrides, **overrides}}

        async def answer(question: BenchQuestion) -> Outcome:
            metadata = {"method": self.name, "question": question.id}
            state = await self.graph.ainvoke(question.input, {"metadata": metadata, "configurable": configurable})
            return outcome_of(self.parts, question, state["verification"])

        return answer

    def always(self, overrides: Mapping[str, Any]) -> AnswerQuestion:
        """Draw paths for every question with these settings, and let the scorer choose."""
        parts = replace(self.parts, settings=self._overridden(overrides))
        return lambda question: always_reason(parts, question)

    def _overridden(self, overrides: Mapping[str, Any]) -> Settings:
        if twice := sorted(overrides.keys() & self.overrides.keys()):
            raise SettingsError(f"the method {self.name!r} has two values of {twice[0]}; leave out the one in brackets")
        settings = self.parts.settings.overridden(dict(overrides))
        self.parts.check_settings(settings)
        return settings

    def sampled(
        self, max_paths: int, choose: Callable[[PathSampler], Awaitable[str | None]], *, logprobs: int = 0
    ) -> AnswerQuestion:
        """Draw up to `max_paths` paths, with `logprobs` log-probabilities per token. `choose` draws and decides."""

        async def answer(question: BenchQuestion) -> Outcome:
            paths = PathSampler(self.parts, question, max_paths, logprobs)
            chosen = await choose(paths)
            status = "abstained" if chosen is None else "degraded" if None in paths.completions else "ok"
            return Outcome(
                right=is_right(self.parts, question, chosen),
                completion_tokens=paths.usage["completion_tokens"],
                escalated=True,
                status=status,
                cancelled_tokens=paths.usage["cancelled_tokens"],
                paths=Texts.of(paths.paths),
                reasons=[path["error"] for path in paths.paths if path["error"] is not None],
                rewardbench=rewardbench_of(question, chosen),
            )

        return answer

    def weighted(
        self, n_paths: int, confidence: Confidence, weights: Callable[[Sequence[float]], Sequence[float]]
    ) -> AnswerQuestion:
        """Draw `n_paths` paths, and let them vote with weights from their confidence.

        Raises:
            SettingsError: the client gives no log-probabilities.
        """
        if not self.parts.client.gives_logprobs:
            raise SettingsError(
                f"the method {self.name!r} needs log-probabilities, but {self.parts.client.name} gives none"
            )
        return self.sampled(n_paths, lambda paths: weighted(paths, confidence, weights), logprobs=TOP_LOGPROBS)


@dataclass(frozen=True)
class BenchMethod:
    """A method of `egrm bench`, or a group of methods with parameters. It has either `build` or `rate`."""

    name: str
    """The name. A capital N represents a positive integer, as in `sc@N`."""
    help: str
    build: Callable[..., AnswerQuestion] | None = None
    """Gets a `MethodBuilder` and the parameters in the name, as text."""
    rate: ReasoningRate | None = None
    """For a derived method."""
    pattern: str | None = None
    """A regular expression for the full name, if `name` cannot express it. Its groups are the parameters."""
    knows_reference: bool = False
    """Whether it uses the correct answer, so no other method falls short of it."""

    def parameters(self, name: str) -> tuple[str | None, ...] | None:
        """The parameters in a name; None if it is not a name of this method."""
        pattern = re.escape(self.name).replace("N", _NUMBER) if self.pattern is None else self.pattern
        found = re.fullmatch(pattern, name)
        return None if found is None else found.groups()


def _egrm(
    make: MethodBuilder, measure: str | None, threshold: str | None, samples: str | None, stopping: str | None
) -> AnswerQuestion:
    chosen = {
        "measure": measure,
        "threshold": None if threshold is None else float(threshold),
        "samples": None if samples is None else int(samples),
        "stopping": stopping,
    }
    return make.gated({name: value for name, value in chosen.items() if value is not None})


def _until(make: MethodBuilder, n: str) -> AnswerQuestion:
    """With the rule of the settings, or else of the scorer: `all` would be `always@N`."""
    rule = {"path_stopping": "auto"} if make.parts.settings.path_stopping == "all" else {}
    return make.always({"paths": int(n), **rule})


METHODS: tuple[BenchMethod, ...] = (
    BenchMethod(
        "never", "fast answers only", build=lambda make: make.gated({"measure": "consensus", "threshold": 0.0})
    ),
    BenchMethod(
        "always",
        "reasoning paths for every question, and the scorer's choice",
        build=lambda make: make.always({"path_stopping": "all"}),
    ),
    BenchMethod(
        "always@N",
        "the same with N paths for every question",
        build=lambda make, n: make.always({"paths": int(n), "path_stopping": "all"}),
    ),
    BenchMethod(
        "until@N",
        "paths until path_stopping has enough, N at most, and the scorer's choice; without a rule, auto",
        build=_until,
    ),
    BenchMethod(
        "egrm:MEASURE=THRESHOLD@SAMPLES+STOPPING",
        "the gate of the settings, or with another measure, threshold, number of samples, or stopping rule. "
        "Every part after egrm is optional",
        build=_egrm,
        pattern=_GATE,
    ),
    BenchMethod(
        "random",
        "derived: reasons about as many questions as egrm, at random",
        rate=lambda never, _, escalated: np.full(len(never), escalated),
    ),
    BenchMethod(
        "oracle",
        "derived: reasons only where that makes a wrong answer right",
        rate=lambda never, always, _: ((never == 0) & (always == 1)).astype(float),
        knows_reference=True,
    ),
    BenchMethod(
        "sc@N",
        "self-consistency: the majority vote over N paths",
        build=lambda make, n: make.sampled(int(n), majority),
    ),
    BenchMethod(
        "any@N",
        "the best possible choice among N paths: right if any of them is",
        build=lambda make, n: make.sampled(int(n), any_right),
        knows_reference=True,
    ),
    BenchMethod(
        "adaptive",
        f"one path at a time until the vote is settled, {MAX_PATHS} at most",
        build=lambda make: make.sampled(MAX_PATHS, lambda paths: one_by_one(paths, beta)),
    ),
    BenchMethod(
        "esc@N",
        f"windows of N paths until one is unanimous, {MAX_PATHS} paths at most",
        build=lambda make, n: make.sampled(MAX_PATHS, lambda paths: by_windows(paths, int(n))),
    ),
    BenchMethod(
        "self-certainty@N",
        "N paths, with Borda weights by self-certainty",
        build=lambda make, n: make.weighted(int(n), text_self_certainty, borda),
    ),
    BenchMethod(
        "deepconf@N",
        "N paths, weighted by their confidence",
        build=lambda make, n: make.weighted(int(n), mean_confidence, list),
    ),
)


def build_methods(parts: Parts, names: Sequence[str], known: Sequence[BenchMethod] = METHODS) -> list[Method]:
    """Build the methods of these names. Derived ones are left out.

    Raises:
        SettingsError: a name is unknown, or the client lacks what a method needs.
    """
    graph = build_graph(parts.settings, client=parts.client, scorer=parts.scorer, store=parts.store)
    built = []
    for name in names:
        found = find_method(name, known)
        if found.method.build is not None:
            own = replace(parts, settings=parts.settings.overridden(dict(found.overrides)))
            own.check_settings(own.settings)
            _refuse_limits(own)
            answer = found.method.build(MethodBuilder(name, own, graph, found.overrides), *found.parameters)
            built.append(Method(name, _drawn_only(answer)))
    return built


def _refuse_limits(parts: Parts) -> None:
    """Saved draws arrive at once, so a limit would cancel other samples than it does without them."""
    for name in ("deadline_s", "max_completion_tokens"):
        if isinstance(parts.client, SavedDraws) and (value := getattr(parts.settings, name)) is not None:
            raise SettingsError(f"{name}={value} does not apply to saved draws; leave it out, or run without --draws")


def _drawn_only(answer: AnswerQuestion) -> AnswerQuestion:
    """Refuses an outcome that lacks a sample because the model must not be asked."""

    async def complete(question: BenchQuestion) -> Outcome:
        outcome = await answer(question)
        if undrawn := next((reason for reason in outcome.reasons if NOT_DRAWN in reason), None):
            raise InputError(undrawn)
        return outcome

    return complete


class FoundMethod(NamedTuple):
    """What a name stands for."""

    method: BenchMethod
    parameters: tuple[str | None, ...]
    overrides: Mapping[str, str | None]
    """The settings in brackets, as text, or None for `none`."""


def find_method(name: str, known: Sequence[BenchMethod] = METHODS) -> FoundMethod:
    """What the name stands for.

    Raises:
        SettingsError: the method is unknown or takes no settings, or its settings cannot be read.
    """
    base, bracket, settings = name.partition("[")
    if bracket and not settings.endswith("]"):
        raise SettingsError(f"the method {name!r} has no closing bracket at its end; add one")
    overrides = settings_in(settings.removesuffix("]")) if bracket else {}
    for method in known:
        if (parameters := method.parameters(base)) is None:
            continue
        if method.build is None and bracket:
            raise SettingsError(f"the method {name!r} is derived from others and takes no settings; name it {base!r}")
        return FoundMethod(method, parameters, overrides)
    raise SettingsError(f"unknown method {base!r}; choose from {', '.join(method.name for method in known)}")


def settings_in(text: str) -> dict[str, str | None]:
    """The settings in a text such as `paths=8,threshold=none`. Their values are text, too, or None for `none`.

    Raises:
        SettingsError: the text has another form, or names a setting twice.
    """
    settings: dict[str, str | None] = {}
    for pair in text.split(","):
        name, _, value = (part.strip() for part in pair.partition("="))
        if not name or not value:
            raise SettingsError(f"the settings {text!r} cannot be read; write them as paths=8,selection=best_score")
        if name in settings:
            raise SettingsError(f"the settings {text!r} have two values of {name}; leave out one")
        settings[name] = None if value == "none" else value
    return settings
