"""Draws the fast answers: short, parallel, without reasoning."""

from __future__ import annotations

import time
import uuid
from typing import Any

from egrm_graph.clients.client import Sampling
from egrm_graph.clients.drawing import Call, draw
from egrm_graph.context import Run
from egrm_graph.reasoning.samples import lost_reasons, sample_of, seeds
from egrm_graph.state import Drawn, State
from egrm_graph.tasks.asking import ask


async def answer_fast(state: State, run: Run) -> dict[str, Any]:
    """Reads the input and draws M fast answers in one request, so that they share the prompt's prefill."""
    started = time.perf_counter()
    settings = run.settings
    asked = ask(state, run.parts.task, run_id=uuid.uuid4().hex, started_at=time.time())
    call = Call(
        prompt=run.parts.prompts.render("answer_fast", question=asked["question"], history=asked["history"]),
        sampling=Sampling(
            temperature=settings.fast_temperature,
            top_p=settings.fast_top_p,
            max_tokens=settings.fast_max_tokens,
            thinking=settings.fast_thinking,
        ),
        seeds=seeds(settings.seed, "answer_fast", asked["question"], settings.samples),
        request_id=f"{asked['run_id']}.answer_fast.0",
    )
    drawing = await draw(run.parts.client, [call], run.limits(asked["started_at"]))
    samples = [
        sample_of(outcome, seed, call.request_id, run.parts.task)
        for outcome, seed in zip(drawing.outcomes[0], call.seeds, strict=True)
    ]
    for i, sample in enumerate(samples):
        run.emit({"egrm": "sample", "node": "answer_fast", "i": i, **sample})
    drawn = Drawn(
        samples=samples,
        usage=drawing.usage,
        ms=(time.perf_counter() - started) * 1e3,
        reasons=lost_reasons("fast answers", drawing.outcomes[0]),
    )
    # A thread that a checkpointer remembers may hold an earlier run's paths.
    return {"asked": asked, "drawn": drawn, "expanded": None, "scored": None}
