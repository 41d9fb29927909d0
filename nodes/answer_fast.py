"""Draws the fast answers: short, parallel, without reasoning. For candidates, in every order."""

from __future__ import annotations

import time
import uuid
from typing import Any

from egrm_graph.clients.client import add_usage, no_usage
from egrm_graph.context import Run
from egrm_graph.reasoning.fast import draw_fast, fast_calls, read_fast, readable
from egrm_graph.reasoning.samples import lost_reasons
from egrm_graph.state import Drawn, State
from egrm_graph.tasks.judging import undecided
from egrm_graph.verification import Asked


async def answer_fast(state: State, run: Run) -> dict[str, Any]:
    """Reads the input and draws M fast answers or, where the client can tell, the probabilities of what they'd be."""
    started = time.perf_counter()
    asked = Asked(**run.parts.task.ask(state, run.settings), run_id=uuid.uuid4().hex, started_at=time.time())
    drawn = Drawn(samples=[], readings=[], usage=no_usage(), ms=0.0, reasons=[])
    if undecided(asked["judged"]):
        await _draw(asked, drawn, run)
    drawn["ms"] = (time.perf_counter() - started) * 1e3
    # A thread that a checkpointer remembers may hold an earlier run's paths.
    return {"asked": asked, "drawn": drawn, "expanded": None, "scored": None}


async def _draw(asked: Asked, drawn: Drawn, run: Run) -> None:
    parts, settings = run.parts, run.settings
    views = parts.task.views(asked, settings.samples)
    logprobs = parts.measure(settings).logprobs(settings.top_logprobs)
    calls = fast_calls(asked, views, parts.prompts, settings, logprobs=logprobs)
    if not logprobs and readable(views, parts.client, settings):
        drawn["readings"], drawn["usage"], drawn["reasons"] = await read_fast(
            parts.client, calls, views, run.limits(asked["started_at"]), settings
        )
        for i, reading in enumerate(drawn["readings"]):
            run.emit({"egrm": "reading", "node": "answer_fast", "i": i, **reading})
        if drawn["readings"]:
            return
    limits = run.limits(asked["started_at"], drawn["usage"])
    drawn["samples"], drawing = await draw_fast(parts.client, parts.task, calls, views, limits)
    for i, sample in enumerate(drawn["samples"]):
        run.emit({"egrm": "sample", "node": "answer_fast", "i": i, **sample})
    drawn["usage"] = add_usage(drawn["usage"], drawing.usage)
    drawn["reasons"] = lost_reasons("fast answers", [each for call in drawing.outcomes for each in call])
