"""The strategies of `egrm bench` by their names.

    never                       fast answers only
    always                      four paths and the scorer's choice (as many as `paths` says)
    sc@8                        the vote over eight paths
    adaptive                    one path after another until the vote is settled, forty at the most
    esc@5                       windows of five paths until one is unanimous, forty at the most
    self-certainty@8            eight paths, Borda-weighted by self-certainty
    deepconf@8                  eight paths, weighted by their confidence
    egrm                        the gate as it is set
    egrm:vote_entropy           by another measure, at its own threshold
    egrm:consensus=0.6          at another threshold
    egrm+beta                   with another stopping rule
    egrm@16                     with another number of fast answers

`random` and `oracle` are worked out from `never`, `always` and `egrm`, and cost nothing: the random gate reasons about
as many questions as `egrm` does, the oracle gate only where reasoning makes a wrong answer right.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from egrm_graph.benchmark.baselines import MOST_PATHS, Paths, borda, by_windows, majority, one_by_one, weighted
from egrm_graph.benchmark.demo_methods import Outcome, Strategy, always_reason, is_right, outcome_of
from egrm_graph.benchmark.held_out import Question
from egrm_graph.errors import SettingsError
from egrm_graph.graph import build_graph
from egrm_graph.parts import Parts
from egrm_graph.settings import RunSettings
from egrm_graph.uncertainty.confidence import mean_confidence, text_self_certainty
from egrm_graph.uncertainty.stopping import beta
from egrm_graph.verification import Verification

WORKED_OUT = ("random", "oracle")
TOP_LOGPROBS = 20
_REASONING = re.compile(r"(sc|esc|self-certainty|deepconf)@([1-9][0-9]*)")
_GATED = re.compile(r"egrm(?::([a-z_]+)(?:=(-?[0-9.]+))?)?(?:@([1-9][0-9]*))?(?:\+([a-z]+))?")


def strategies_named(parts: Parts, names: Sequence[str]) -> list[Strategy]:
    """The strategies that ask the model; those that are worked out are left out.

    Raises:
        SettingsError: there is no strategy of that name, or the client cannot give what it needs.
    """
    graph = build_graph(parts.settings, client=parts.client, scorer=parts.scorer, store=parts.store)

    async def gated(question: Question, context: RunSettings, name: str) -> Outcome:
        about = {"strategy": name, "question": question.id}
        told: Verification = (await graph.ainvoke(question.given, {"metadata": about}, context=context))["verification"]
        return outcome_of(parts, question, told)

    def one(name: str) -> Strategy:
        if name == "never":
            context = RunSettings(measure="consensus", threshold=0.0)
            return Strategy(name, lambda question: gated(question, context, name))
        if name == "always":
            return Strategy(name, lambda question: always_reason(parts, question))
        if (found := _GATED.fullmatch(name)) is not None:
            overrides = _overrides(*found.groups())
            parts.measure(parts.settings.overridden(overrides))
            context = RunSettings(**overrides)
            return Strategy(name, lambda question: gated(question, context, name))
        return Strategy(name, _reasoning_only(parts, name))

    return [one(name) for name in names if name not in WORKED_OUT]


def _overrides(measure: str | None, threshold: str | None, samples: str | None, stopping: str | None) -> dict[str, Any]:
    given = {
        "measure": measure,
        "threshold": None if threshold is None else float(threshold),
        "samples": None if samples is None else int(samples),
        "stopping": stopping,
    }
    return {name: value for name, value in given.items() if value is not None}


def _reasoning_only(parts: Parts, name: str) -> Callable[[Question], Awaitable[Outcome]]:
    most, logprobs, choose = _rule(parts, name)

    async def answer(question: Question) -> Outcome:
        paths = Paths(parts, question, most, logprobs)
        chosen = await choose(paths)
        lost = paths.drawn.count(None)
        status = "abstained" if chosen is None else "degraded" if lost else "ok"
        right = is_right(parts, question, chosen)
        return Outcome(right, paths.usage["completion_tokens"], escalated=True, status=status)

    return answer


def _rule(parts: Parts, name: str) -> tuple[int, int, Callable[[Paths], Awaitable[str | None]]]:
    """How many paths at the most, with how many log-probabilities a token, and what is done with them."""
    if name == "adaptive":
        return MOST_PATHS, 0, lambda paths: one_by_one(paths, beta)
    if (found := _REASONING.fullmatch(name)) is None:
        raise SettingsError(f"there is no strategy {name!r}; see `egrm bench --help` for their names")
    kind, n = found[1], int(found[2])
    if kind == "sc":
        return n, 0, majority
    if kind == "esc":
        return MOST_PATHS, 0, lambda paths: by_windows(paths, n)
    if not parts.client.gives_logprobs:
        raise SettingsError(f"the strategy {name!r} needs log-probabilities, and {parts.client.name} gives none")
    if kind == "self-certainty":
        return n, TOP_LOGPROBS, lambda paths: weighted(paths, text_self_certainty, borda)
    return n, TOP_LOGPROBS, lambda paths: weighted(paths, mean_confidence, list)
