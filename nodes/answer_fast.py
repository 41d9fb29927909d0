"""Draws the fast answers: short, parallel, without reasoning, in waves. For candidates, in every order."""

from __future__ import annotations

import asyncio
import itertools
import time
import uuid
from collections.abc import Coroutine, Sequence
from typing import Any

from egrm_graph.clients.client import add_usage, no_usage
from egrm_graph.context import Run
from egrm_graph.drawing.calls import Call
from egrm_graph.drawing.fast_answers import fast_calls, read_fast, readable
from egrm_graph.drawing.paths import Ahead, Paths, draw_paths
from egrm_graph.drawing.waves import draw_waves, waves_of
from egrm_graph.messages.run_input import messages_of
from egrm_graph.state import Drawn, DrawnAhead, State
from egrm_graph.strategies.plain import path_calls
from egrm_graph.tasks.judging import undecided
from egrm_graph.tasks.task import View
from egrm_graph.uncertainty.evidence import evidence_of
from egrm_graph.uncertainty.stopping import everything, stop_rule
from egrm_graph.uncertainty.wave_sizes import wave_sizes
from egrm_graph.verification import Asked, Sample


async def answer_fast(state: State, run: Run) -> dict[str, Any]:
    """Reads the input and draws fast answers, M at the most, or, where the client can tell, reads the probabilities of
    what they'd be."""
    started = time.perf_counter()
    asked = Asked(**run.parts.task.ask(state, run.settings), run_id=uuid.uuid4().hex, started_at=time.time())
    drawn = Drawn(samples=[], readings=[], planned=0, ahead=None, usage=no_usage(), ms=0.0, reasons=[])
    if undecided(asked["judged"]):
        await _draw(asked, drawn, run)
    drawn["ms"] = (time.perf_counter() - started) * 1e3
    # A verdict on candidates is not a turn of the conversation that they are judged by.
    conversation = messages_of(state) or None if asked["judged"] is None else None
    # A thread that a checkpointer remembers may hold an earlier run's paths.
    return {"asked": asked, "drawn": drawn, "expanded": None, "scored": None, "conversation": conversation}


async def _draw(asked: Asked, drawn: Drawn, run: Run) -> None:
    parts, settings = run.parts, run.settings
    views = parts.task.views(asked, settings.samples)
    drawn["planned"] = sum(view.samples for view in views)
    logprobs = parts.measure(settings).logprobs(settings.top_logprobs)
    calls = fast_calls(asked, views, parts.prompts, settings, logprobs=logprobs)
    if not logprobs and readable(views, run.client, settings):
        drawn["readings"], drawn["usage"], drawn["reasons"] = await read_fast(
            run.client, calls, views, run.limits(asked["started_at"]), settings
        )
        for i, reading in enumerate(drawn["readings"]):
            run.emit({"egrm": "reading", "node": "answer_fast", "i": i, **reading})
        if drawn["readings"]:
            return
    await _draw_samples(asked, drawn, views, calls, run)


async def _draw_samples(asked: Asked, drawn: Drawn, views: Sequence[View], calls: Sequence[Call], run: Run) -> None:
    parts, settings = run.parts, run.settings
    gate = parts.gate(settings)
    # Rewards and contested candidates are shares of all votes, so for candidates nothing is decided before the last.
    judges = asked["judged"] is not None
    rule = everything if judges and settings.stopping == "decided" else stop_rule(settings.stopping, gate)
    sizes = wave_sizes(rule, drawn["planned"], settings.waves)
    waves = waves_of(parts.task, calls, views, sizes, single=settings.single_requests)
    limits = run.limits(asked["started_at"], drawn["usage"])
    told = itertools.count()

    def landed(samples: Sequence[Sample]) -> None:
        for sample in samples:
            run.emit({"egrm": "sample", "node": "answer_fast", "i": next(told), **sample})

    ahead = Ahead(lambda unneeded: _paths(asked, run, unneeded))
    # A budget of tokens is there to be kept, not to be shared by two stages at once.
    speculates = settings.speculate and not judges and settings.max_completion_tokens is None
    try:
        fast = await draw_waves(
            run.client,
            parts.task.same,
            waves,
            limits,
            rule,
            landed=landed,
            undecided=ahead.start if speculates else lambda: None,
        )
        drawn["samples"], drawn["reasons"] = fast.samples, fast.reasons
        drawn["usage"] = add_usage(drawn["usage"], fast.usage)
        if ahead.started:
            certain = gate.certain(evidence_of(fast.samples, [], parts.task.same))
            await _settle(ahead, drawn, certain=certain)
    finally:
        ahead.close()


async def _settle(ahead: Ahead, drawn: Drawn, *, certain: bool) -> None:
    """Where the gate will reason, waits for the paths that were started; where it will not, cancels them."""
    if certain:
        usage = await ahead.discard()
    else:
        paths = await ahead.take()
        drawn["ahead"], usage = DrawnAhead(paths=paths.paths, reasons=paths.reasons), paths.usage
    drawn["usage"] = add_usage(drawn["usage"], usage)


def _paths(asked: Asked, run: Run, unneeded: asyncio.Event) -> Coroutine[Any, Any, Paths]:
    views = run.parts.task.views(asked, run.settings.paths)
    drawn_in = path_calls(asked, views, run.parts.prompts, run.settings)
    limits = run.limits(asked["started_at"])
    return draw_paths(run.client, run.parts.task, drawn_in, limits, unneeded=unneeded)
