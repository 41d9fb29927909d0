"""Draws fast answers in waves, until a stopping rule has enough of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from egrm_graph.answers.started_reply import opened_answer
from egrm_graph.clients.client import Client, Completion, add_usage, no_usage, started_turn
from egrm_graph.drawing.calls import Call, Enough, Limits, Lost, Outcomes, draw
from egrm_graph.drawing.samples import lost_reasons, sample_of
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.tasks.task import Task
from egrm_graph.uncertainty.stopping import Standing, StoppingRule, everything
from egrm_graph.uncertainty.votes import classes
from egrm_graph.verification import Sample, Usage, View


@dataclass(frozen=True)
class WaveRequest:
    """One request of a wave."""

    call: Call
    order: tuple[str, ...]
    """The candidates in the order shown."""
    read: Callable[[str, bool], str | None]
    """Gives the answer in a text; the flag says whether the text is complete."""


Wave = Sequence[WaveRequest]


@dataclass(frozen=True)
class FastAnswers:
    """The fast answers that were drawn."""

    samples: list[Sample]
    """In the order of their seeds."""
    planned: int
    """How many there are if the rule never stops."""
    usage: Usage
    reasons: list[Reason]
    """Why some of those drawn are lost."""


def waves_of(
    task: Task, calls: Sequence[Call], views: Sequence[View], sizes: Sequence[int], *, single: bool
) -> list[Wave]:
    """The calls, one for each view, cut into waves. In a wave, each view has as many samples as any other, as nearly as
    their numbers allow. With `single`, each sample is a request of its own."""

    def reader(call: Call, view: View) -> Callable[[str, bool], str | None]:
        start = started_turn(call.prompt)

        @functools.cache  # many samples have the same text
        def read(text: str, complete: bool) -> str | None:
            opened = opened_answer(start, text) if start else None
            if opened is not None:
                text, complete = opened, True
            return task.read(text, view, fast=True, complete=complete)

        return read

    requests = [
        WaveRequest(call, tuple(view["order"]), reader(call, view)) for call, view in zip(calls, views, strict=True)
    ]
    waves: list[Wave] = []
    start, end = [0] * len(requests), [0] * len(requests)
    for size in sizes:
        while sum(end) - sum(start) < size and sum(end) < sum(len(request.call.seeds) for request in requests):
            end = [min(place + 1, len(part.call.seeds)) for place, part in zip(end, requests, strict=True)]
        cut = zip(requests, start, end, strict=True)
        waves.append([piece for part, first, last in cut for piece in _cut(part, first, last, single=single)])
        start = end
    return [wave for wave in waves if wave]


def _cut(part: WaveRequest, first: int, last: int, *, single: bool) -> list[WaveRequest]:
    """The samples from `first` to before `last`, in one request or in one each."""
    call = part.call
    run, _, number = call.request_id.rpartition(".")
    step = 1 if single else max(1, last - first)
    pieces = (
        Call(call.prompt, call.sampling, call.seeds[i : min(i + step, last)], f"{run}.{int(number) + i}")
        for i in range(first, last, step)
    )
    return [WaveRequest(piece, part.order, part.read) for piece in pieces]


async def draw_waves(
    client: Client,
    same: Callable[[str, str], bool],
    waves: Sequence[Wave],
    limits: Limits,
    rule: StoppingRule,
    *,
    landed: Callable[[Sequence[Sample]], None],
    undecided: Callable[[], None],
) -> FastAnswers:
    """Draws wave after wave until the rule has enough. `landed` is called with the samples of each wave, and
    `undecided` after the first if that was not enough. Never raises an `EgrmError`.

    With only one view, and each sample a request of its own, a rule that may stop early is also asked within a wave.
    """
    planned = sum(len(part.call.seeds) for wave in waves for part in wave)
    same = functools.cache(same)  # the rule asks again and again about the same answers
    drawn: list[Sample] = []
    outcomes: list[Completion | Lost] = []
    usage = no_usage()
    seen = set[str]()

    def enough(more: Sequence[Sample] = ()) -> bool:
        return rule(Standing(tuple(classes([sample["answer"] for sample in (*drawn, *more)], same)), planned))

    def within(wave: Wave) -> Enough:
        landed_so_far: list[Sample] = []

        def enough_within(ended: Sequence[Outcomes]) -> bool:
            n = len(landed_so_far)
            landed_so_far.extend(_samples(wave[n:], ended[n:]))
            return enough(landed_so_far)

        return enough_within

    for i, wave in enumerate(waves):
        calls = [part.call for part in wave]
        # Asking the rule makes the calls stream, to count the tokens of those that it cancels.
        one_by_one = (
            rule is not everything
            and len({part.order for part in wave}) == 1
            and all(len(call.seeds) == 1 for call in calls)
        )

        left = limits.less(usage["completion_tokens"])
        drawing = await draw(client, calls, left, enough=within(wave) if one_by_one else None, seen=seen)
        samples = _samples(wave, drawing.outcomes)
        landed(samples)
        drawn += samples
        outcomes += [outcome for each in drawing.outcomes for outcome in each]
        usage = add_usage(usage, drawing.usage)
        if enough():
            break
        if i == 0 and len(waves) > 1:
            undecided()
    return FastAnswers(
        sorted(drawn, key=lambda sample: sample["seed"]),
        planned,
        usage,
        lost_reasons(ReasonCode.FAST_ANSWERS_LOST, outcomes),
    )


def _samples(wave: Wave, outcomes: Sequence[Outcomes]) -> list[Sample]:
    """The records of the wave's first requests."""
    return [
        sample_of(outcome, seed, part.call.request_id, part.read, part.order, start=started_turn(part.call.prompt))
        for part, each in zip(wave, outcomes, strict=False)
        for outcome, seed in zip(each, part.call.seeds, strict=True)
    ]
