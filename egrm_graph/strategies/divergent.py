"""The strategy `divergent`: several chains of thought in one completion, each with an answer of its own.

One call asks for all paths of a question. Each chain begins with its heading, `[Answer 1]`, `[Answer 2]`, and so on, at
the start of a line; a heading out of turn is text. A chain that is not there is a lost path, with the reason.

A chain is written with the ones before it in view. So the chains are not independent samples, and nothing that needs
such samples may use them: stopping rules, and verdicts on candidates, which are votes.

Source: DCoT, Puerto et al. 2024, arXiv:2407.03181. Differs: it tunes models to write `[Final answer]` after the last
chain, which decides. Here that only ends the last chain, and the scores of the chains decide, or else their number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from egrm_graph.answers.thinking import spoken
from egrm_graph.clients.client import Completion
from egrm_graph.drawing.calls import Lost
from egrm_graph.errors import SettingsError
from egrm_graph.prompting import PromptSource
from egrm_graph.settings import Settings
from egrm_graph.strategies.strategy import Known, PathCall, PathInView, PathStrategy, one_completion
from egrm_graph.tasks.arithmetic import ArithmeticTask
from egrm_graph.tasks.judging import Judging
from egrm_graph.tasks.task import Task
from egrm_graph.verification import View

PROMPT = "expand_cot.divergent"
_HEADING = re.compile(
    r"^[ \t>*_#]{0,20}\[(?:answer[ \t]{1,3}(\d{1,3})|final[ \t]{1,3}answer)\][ \t*_:]*", re.IGNORECASE | re.MULTILINE
)


class Divergent:
    """Draws all paths of a question in one call."""

    name = "divergent"
    one_completion = True
    prompts: Mapping[str, PromptSource | None] = MappingProxyType({PROMPT: None})
    variables: Mapping[str, Any] = MappingProxyType({"chains": 4})

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        if known.rounds:
            return []
        calls = known.calls(PROMPT, [_with_chains(view) for view in known.views])
        return [_longer(call, view) for call, view in zip(calls, known.views, strict=True)]

    def paths(self, known: Known) -> Sequence[PathInView]:
        return [
            known.read(call, part) for call, outcome in known.drawn for part in split(outcome, call.view["samples"])
        ]


class Chain(NamedTuple):
    """One of the chains in a text."""

    text: str
    complete: bool
    """Whether another heading follows it."""


def chains_in(text: str) -> list[Chain]:
    """The chains under the headings of a text, in order."""
    begins: list[re.Match[str]] = []
    end: re.Match[str] | None = None
    for heading in _HEADING.finditer(text):
        if heading[1] is None and begins:
            end = heading
            break
        if heading[1] is not None and int(heading[1]) == len(begins) + 1:
            begins.append(heading)
    ends = [*begins[1:], end]
    return [
        Chain(text[begin.end() : len(text) if end is None else end.start()].strip(), complete=end is not None)
        for begin, end in zip(begins, ends, strict=False)
    ]


def split(outcome: Completion | Lost, n: int) -> list[Completion | Lost]:
    """The first `n` chains of an outcome, each as a completion of its own; those that are not there are lost.

    A server counts the tokens of the completion, so the chains have none of their own, and no log-probabilities.
    """
    if isinstance(outcome, Lost):
        return [outcome] * n
    said = spoken(outcome.text)
    if said is None:
        return [Lost("the model gave no text, or only its thinking")] * n
    found = chains_in(said.text)[:n]
    finished = "stop" if said.ended else outcome.finish_reason
    parts: list[Completion | Lost] = [
        Completion(chain.text, "stop" if chain.complete else finished, None, thinking=outcome.thinking)
        for chain in found
    ]
    cut = finished == "length"
    cause = f"the completion has {len(found)} of {n} chains" + (", and was cut (path_max_tokens)" if cut else "")
    return parts + [Lost(cause)] * (n - len(found))


def check_divergent(strategy: PathStrategy, task: Task, settings: Settings) -> None:
    """Checks that a strategy which draws all paths in one completion has a task and a model that suit it.

    Raises:
        SettingsError: the task counts votes, or the model or the task does not know the prompt.
    """
    if not one_completion(strategy):
        return
    if isinstance(task, Judging):
        raise SettingsError(
            f"the strategy {strategy.name!r} draws paths in one completion, which are not votes, and the task "
            f"{task.name!r} counts votes; set strategy (--strategy) to 'plain'"
        )
    if PROMPT in strategy.prompts and (settings.bundled or isinstance(task, ArithmeticTask)):
        raise SettingsError(
            f"the strategy {strategy.name!r} asks in English for several chains, which the bundled model and its task "
            "'arithmetic' do not know; set model (--model) to one that follows instructions and task (--task) to "
            "'answer', or strategy (--strategy) to 'plain'"
        )


def _with_chains(view: View) -> View:
    return {**view, "variables": {**view["variables"], "chains": view["samples"]}}


def _longer(asked: PathCall, view: View) -> PathCall:
    """The call in its own view, with as many tokens as its paths may have together."""
    sampling = asked.call.sampling
    enough = replace(sampling, max_tokens=sampling.max_tokens * view["samples"])
    return PathCall(replace(asked.call, sampling=enough), view)
