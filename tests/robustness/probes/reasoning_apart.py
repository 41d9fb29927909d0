"""Read the answer in a chat completion whose reasoning is outside the content."""

from typing import Any

from egrm_graph.clients.client import Sampling
from egrm_graph.clients.server_answers import read_completions
from egrm_graph.drawing.samples import sample_of
from egrm_graph.tasks.answer import AnswerTask


def outcome(given: dict[str, Any]) -> str | None:
    body = {"choices": [{"index": 0, "token_ids": [1], **given}], "usage": {"completion_tokens": 1}}
    completion = read_completions(body, Sampling(temperature=1.0, max_tokens=64), 1)[0]
    return sample_of(
        completion, 0, "run.answer_fast.0", lambda text, complete: AnswerTask().read_answer(text, complete=complete)
    )["answer"]


def _read(text: str, complete: bool) -> str | None:
    return AnswerTask().read_answer(text, complete=complete)
