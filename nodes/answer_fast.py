"""Draws the fast answers: short, in parallel, without reasoning, in waves. For candidates, in every order."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Sequence
from typing import Any

from egrm_graph.clients.client import add_usage, no_usage
from egrm_graph.context import Run
from egrm_graph.drawing.calls import Call
from egrm_graph.drawing.fast_answers import fast_calls
from egrm_graph.drawing.label_readings import read_labels, reads_labels
from egrm_graph.drawing.speculation import Speculation
from egrm_graph.drawing.waves import draw_waves, waves_of
from egrm_graph.messages.run_input import messages_of
from egrm_graph.nodes.expand_cot import draw_wave, no_paths
from egrm_graph.state import Drawn, Expanded, State
from egrm_graph.uncertainty.evidence import evidence_of
from egrm_graph.uncertainty.stopping import everything
from egrm_graph.uncertainty.wave_sizes import wave_sizes
from egrm_graph.verification import Asked, Sample


async def answer_fast(state: State, run: Run) -> dict[str, Any]:
    """Reads the input and draws up to M fast answers or, if the client can, reads their probabilities instead."""
    started = time.perf_counter()
    task, settings = run.parts.task, run.settings
    asked = Asked(**task.ask(state, settings), run_id=uuid.uuid4().hex, started_at=time.time())
    drawn = Drawn(
        views=task.views(asked, settings, settings.samples),
        samples=[],
        readings=[],
        planned=0,
        ahead=None,
        usage=no_usage(),
        ms=0.0,
        reasons=[],
    )
    if drawn["views"]:
        await _draw(asked, drawn, run)
    drawn["ms"] = (time.perf_counter() - started) * 1e3
    # A verdict on candidates is not a turn of the conversation that they are judged by.
    conversation = messages_of(state) or None if asked["judged"] is None else None
    # A thread that a checkpointer restores may hold the paths of an earlier run.
    return {"asked": asked, "drawn": drawn, "expanded": None, "scored": None, "conversation": conversation}


async def _draw(asked: Asked, drawn: Drawn, run: Run) -> None:
    parts, settings, views = run.parts, run.settings, drawn["views"]
    drawn["planned"] = sum(view["samples"] for view in views)
    logprobs = parts.measure(settings).logprobs(settings.top_logprobs)
    calls = fast_calls(
        asked,
        views,
        parts.prompts,
        settings,
        form=parts.reply_form(settings),
        restricts=parts.restricts_replies,
        logprobs=logprobs,
    )
    if not logprobs and reads_labels(views, run.client, settings):
        limits = run.limits(asked["started_at"])
        drawn["readings"], drawn["usage"], drawn["reasons"] = await read_labels(
            run.client, calls, views, limits, settings
        )
        for i, reading in enumerate(drawn["readings"]):
            run.emit({"egrm": "reading", "node": "answer_fast", "i": i, **reading})
        if drawn["readings"]:
            return
    await _draw_samples(asked, drawn, calls, run)


async def _draw_samples(asked: Asked, drawn: Drawn, calls: Sequence[Call], run: Run) -> None:
    parts, settings, task = run.parts, run.settings, run.parts.task
    gate = parts.gate(settings)
    rule = parts.stopping_rule(settings)
    if task.counts_every_vote and settings.stopping == "decided":
        rule = everything  # the output has a share of all votes, so nothing is decided before the last one
    sizes = wave_sizes(rule, drawn["planned"], settings.waves)
    waves = waves_of(task, calls, drawn["views"], sizes, single=settings.single_requests)
    limits = run.limits(asked["started_at"], drawn["usage"])
    numbers = itertools.count()

    def landed(samples: Sequence[Sample]) -> None:
        for sample in samples:
            run.emit({"egrm": "sample", "node": "answer_fast", "i": next(numbers), **sample})

    ahead = Speculation(lambda unneeded: draw_wave(run, asked, no_paths(), spent=no_usage(), unneeded=unneeded))
    # Which candidates are contested follows from all votes. A budget of tokens cannot be shared by two stages at once.
    speculates = settings.speculate and not task.counts_every_vote and settings.max_completion_tokens is None
    undecided = ahead.start if speculates else lambda: None
    try:
        fast = await draw_waves(run.client, task.same, waves, limits, rule, landed=landed, undecided=undecided)
        drawn["samples"], drawn["reasons"] = fast.samples, fast.reasons
        drawn["usage"] = add_usage(drawn["usage"], fast.usage)
        if ahead.started:
            certain = gate.certain(evidence_of(fast.samples, [], task.same))
            await _settle(ahead, drawn, certain=certain)
    finally:
        ahead.close()


async def _settle(ahead: Speculation[Expanded], drawn: Drawn, *, certain: bool) -> None:
    """Cancels the paths that were started if the gate will not reason; otherwise waits for them."""
    if certain:
        usage = await ahead.discard()
    else:
        paths = await ahead.take()
        usage = paths["usage"]
        drawn["ahead"] = {**paths, "usage": no_usage()}
    drawn["usage"] = add_usage(drawn["usage"], usage)
