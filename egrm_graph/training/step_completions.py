"""Labels of fixed steps: from the end of each step of a path, several completions are drawn.

Source: Math-Shepherd, arXiv:2312.08935. Differs: completions continue the tokens of the path. If a step ends inside a
token, they begin before that token, so they may write the last characters of the step in another way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from egrm_graph.clients.client import Client, Completion, ContinuesTokens, Sampling, add_usage
from egrm_graph.drawing.calls import Call, Limits, Lost, Outcomes, draw
from egrm_graph.drawing.samples import lost_reasons
from egrm_graph.errors import SettingsError
from egrm_graph.reasons import ReasonCode, texts
from egrm_graph.settings import RunSettings
from egrm_graph.steps.anchors import token_starts
from egrm_graph.steps.cutting import step_cutter
from egrm_graph.strategies.strategy import Known, PathCall, Round
from egrm_graph.training.step_labels import StepRow, step_row
from egrm_graph.verification import Path, Usage

PROMPT = "expand_cot"
COMPLETIONS = 8
"""As published."""
_EQUAL = (("path_temperature", 0, "above"), ("path_top_k", 1, "above"), ("path_min_p", 1, "below"))


@dataclass(frozen=True)
class FixedSteps:
    """How paths are cut into steps, and how many completions label each."""

    rule: str
    """`lines`, `sentences`, or a regular expression that matches the end of a step."""
    completions: int = COMPLETIONS

    def check_settings(self, settings: RunSettings) -> None:
        """Check that paths drawn by these settings can be labeled.

        Raises:
            SettingsError: they are not independent, the completions would all be equal, or the rule is not one.
        """
        step_cutter(self.rule)
        if settings.strategy != "plain":
            raise SettingsError(
                f"step_end={self.rule!r} cuts independent paths, and the strategy {settings.strategy!r} draws others; "
                "leave one of them out"
            )
        for name, value, side in _EQUAL:
            if self.completions > 1 and getattr(settings, name) == value:
                raise SettingsError(
                    f"{name}={value} decodes the same text every time, so all {self.completions} completions of a step "
                    f"would be equal; set {name} {side} {value}, or completions=1"
                )

    def check_client(self, client: Client) -> None:
        """Check that the client can continue a path from the end of a step.

        Raises:
            SettingsError: it cannot.
        """
        if not (isinstance(client, ContinuesTokens) and client.continues_tokens):
            raise SettingsError(
                f"step_end={self.rule!r} continues paths from token ids, and {client.name} does not; use a vLLM server "
                "(engine='vllm') or a model in this process"
            )


@dataclass(frozen=True)
class LabeledPaths:
    """Paths, lost ones included, with the labels of their steps."""

    paths: list[Path]
    steps: list[list[StepRow]] | None
    """The labeled steps of each path; None if they are not labeled."""
    usage: Usage
    reasons: list[str]
    """Why paths or completions were lost."""


class _StepEnd(NamedTuple):
    path: int
    end: int
    begins_with: tuple[int, ...]
    """The tokens to continue."""
    last: bool
    """Whether the path ends here."""


async def draw_labeled(
    client: Client, known: Known, steps: FixedSteps, is_right: Callable[[Path], bool]
) -> LabeledPaths:
    """Draw the paths that are `known` to be wanted, and label each of their steps by completions from its end.

    The last step is labeled by the path itself. A step that a path shares with a path before it is labeled only there.
    A step has no label if all its completions are lost, or if it is not known which tokens it has.
    """
    sampling = replace(known.sampling(PROMPT, logprobs=1), begins_with=())
    calls = known.calls(PROMPT, known.path_views(), sampling=sampling)
    drawing = await draw(client, [call for call, _ in calls], Limits())
    outcomes = [outcome for (outcome,) in drawing.outcomes]
    paths = [known.read(call, outcome).path for call, outcome in zip(calls, outcomes, strict=True)]
    ends = list(_step_ends(paths, outcomes, step_cutter(steps.rule)))

    known = known.after(Round(calls, drawing.outcomes))
    more = _continuations(known, sampling, [end.begins_with for end in ends if not end.last], steps.completions)
    continued = await draw(client, [call for call, _ in more], Limits())
    completed = zip(more, continued.outcomes, strict=True)
    rows: list[list[StepRow]] = [[] for _ in paths]
    for end in ends:
        if end.last:
            right = [is_right(paths[end.path])]
        else:
            call, found = next(completed)
            right = [is_right(known.read(call, outcome).path) for outcome in found if not isinstance(outcome, Lost)]
        if right:
            rows[end.path].append(step_row(end.end, right))
    return LabeledPaths(
        paths,
        rows,
        add_usage(drawing.usage, continued.usage),
        [*texts(lost_reasons(ReasonCode.PATHS_LOST, outcomes)), *_lost_completions(continued.outcomes)],
    )


def _step_ends(
    paths: Sequence[Path], outcomes: Sequence[Completion | Lost], cut: Callable[[str], list[int]]
) -> Iterator[_StepEnd]:
    """The steps to label, path by path."""
    seen: set[str] = set()
    for i, (path, outcome) in enumerate(zip(paths, outcomes, strict=True)):
        text = path["text"]
        if text is None or isinstance(outcome, Lost):
            continue
        for end in cut(text):
            last = end == len(text)
            n_tokens = 0 if last else tokens_before(outcome, end)
            if n_tokens is not None and text[:end] not in seen:
                seen.add(text[:end])
                yield _StepEnd(i, end, (outcome.token_ids or ())[:n_tokens], last)


def tokens_before(completion: Completion, end: int) -> int | None:
    """How many tokens of a completion come before the last boundary between tokens that is not after `end`, in
    characters; None if that is not known."""
    starts = [(start, i) for i, start in enumerate(token_starts(completion)) if start is not None]
    place = next((place for place in reversed(starts) if place[0] <= end), None)
    if place is None:
        return 0 if starts else None
    start, i = place
    after = start + len((completion.tokens or ())[i])
    if after > end:  # inside the token
        return i
    return i + 1 if after == end or place != starts[-1] else None


def _continuations(
    known: Known, sampling: Sampling, beginnings: Sequence[tuple[int, ...]], completions: int
) -> list[PathCall]:
    """A call for each beginning, with a seed for each completion."""
    [view] = known.views
    single = known.calls(PROMPT, [view] * (len(beginnings) * completions), sampling=sampling)
    calls = []
    for i, begins_with in enumerate(beginnings):
        first, *others = (call for call, _ in single[i * completions : (i + 1) * completions])
        seeds = (*first.seeds, *(seed for call in others for seed in call.seeds))
        left = max(1, sampling.max_tokens - len(begins_with))
        own = replace(sampling, begins_with=begins_with, max_tokens=left)
        calls.append(PathCall(Call(first.prompt, own, seeds, first.request_id), view))
    return calls


def _lost_completions(outcomes: Sequence[Outcomes]) -> list[str]:
    """One reason for each different cause."""
    drawn = [outcome for each in outcomes for outcome in each]
    causes = Counter(outcome.reason for outcome in drawn if isinstance(outcome, Lost))
    return [f"{count} of {len(drawn)} completions lost: {cause}" for cause, count in causes.items()]
