"""Measures a judge on held-out pairs: draws its judgments as the graph draws paths, one in each order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from egrm_graph.drawing.calls import Limits
from egrm_graph.errors import RunError
from egrm_graph.fine_tuning.judge_prompts import known_of
from egrm_graph.fine_tuning.judged_pairs import JudgedPair
from egrm_graph.fine_tuning.judgment_figures import LabeledJudgment
from egrm_graph.parts import Parts
from egrm_graph.runtime.background_loop import BackgroundLoop
from egrm_graph.strategies.draw_paths import draw_paths
from egrm_graph.tasks.judging import Judging

CONCURRENT_PAIRS = 256


def judge_pairs(parts: Parts, pairs: Sequence[JudgedPair]) -> list[LabeledJudgment]:
    """A judgment of each pair in every order. Equal parts, weights, and seeds give equal judgments.

    Raises:
        RunError: a judgment could not be drawn.
    """
    loop = BackgroundLoop("egrm-judge-pairs")  # the caller may have a running loop
    try:
        return loop.run(_judge_pairs(parts, pairs))
    finally:
        loop.close()


async def _judge_pairs(parts: Parts, pairs: Sequence[JudgedPair]) -> list[LabeledJudgment]:
    limit = asyncio.Semaphore(CONCURRENT_PAIRS)

    async def judge(pair: JudgedPair) -> list[LabeledJudgment]:
        async with limit:
            return await _judge_pair(parts, pair)

    found = await asyncio.gather(*map(judge, pairs))
    return [judged for each in found for judged in each]


async def _judge_pair(parts: Parts, pair: JudgedPair) -> list[LabeledJudgment]:
    task = parts.task
    assert isinstance(task, Judging)
    known = known_of(parts, pair)
    if not known.views:
        return []
    drawn = await draw_paths(parts.client, parts.strategy(parts.settings), known, Limits())
    judged = []
    for path, _ in drawn.paths:
        if path["text"] is None:
            raise RunError(f"the held-out pair {pair.id or pair.question[:40]!r} could not be judged: {path['error']}")
        judged.append(LabeledJudgment.of_path(task, pair, path))
    return judged
