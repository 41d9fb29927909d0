"""Measures a generator on held-out questions: fast answers and one path each, drawn as the graph draws them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from egrm_graph.errors import RunError
from egrm_graph.fine_tuning.generator_figures import Answered
from egrm_graph.fine_tuning.generator_questions import AnsweredQuestion
from egrm_graph.fine_tuning.question_draws import draw_and_score, draw_fast
from egrm_graph.parts import Parts
from egrm_graph.runtime.background_loop import BackgroundLoop

CONCURRENT_QUESTIONS = 256


def answer_questions(parts: Parts, questions: Sequence[AnsweredQuestion]) -> list[Answered]:
    """What the generator does on each question.

    Raises:
        InputError: a question cannot be asked.
        RunError: a path could not be drawn.
    """
    loop = BackgroundLoop("egrm-answer-questions")  # the caller may have a running loop
    try:
        return loop.run(_answer_all(parts, questions))
    finally:
        loop.close()


async def _answer_all(parts: Parts, questions: Sequence[AnsweredQuestion]) -> list[Answered]:
    limit = asyncio.Semaphore(CONCURRENT_QUESTIONS)

    async def answer(question: AnsweredQuestion) -> Answered:
        async with limit:
            return await _answer(parts, question)

    return list(await asyncio.gather(*map(answer, questions)))


async def _answer(parts: Parts, question: AnsweredQuestion) -> Answered:
    same = parts.task.same
    fast = await draw_fast(parts, {"question": question.question, "reference": question.reference})
    [path] = (await draw_and_score(parts, fast)).paths
    if path["text"] is None:
        raise RunError(f"the held-out question {question.question[:40]!r} has no path: {path['error']}")
    return Answered(
        certain=fast.certain,
        fast_right=fast.answer is not None and same(fast.answer, question.reference),
        fast_tokens=fast.drawn["usage"]["completion_tokens"],
        path_right=None if path["answer"] is None else same(path["answer"], question.reference),
        score=path["score"],
        path_tokens=path["n_tokens"] or 0,
    )
