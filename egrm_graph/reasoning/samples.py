"""From completions to samples: seeds, answers read, and what is said of those that were lost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from egrm_graph.clients.client import Completion
from egrm_graph.clients.drawing import Lost
from egrm_graph.tasks.task import Task
from egrm_graph.verification import Sample


def seeds(seed: int, node: str, question: str, n: int) -> tuple[int, ...]:
    """`n` consecutive seeds, other ones for each question and node: no two samples share their chance."""
    digest = hashlib.sha256(f"{seed}\0{node}\0{question}".encode()).digest()
    first = int.from_bytes(digest[:4], "big") >> 1  # room for n more in 32 bits
    return tuple(range(first, first + n))


def sample_of(outcome: Completion | Lost, seed: int, request_id: str, task: Task) -> Sample:
    """The record of one outcome, with the answer that the task reads in it."""
    if isinstance(outcome, Lost):
        return Sample(
            text=None,
            thinking=None,
            answer=None,
            n_tokens=None,
            finish_reason=None,
            seed=seed,
            request_id=request_id,
            error=outcome.reason,
        )
    return Sample(
        text=outcome.text,
        thinking=outcome.thinking,
        answer=task.read(outcome.text, complete=outcome.finish_reason == "stop"),
        n_tokens=outcome.n_tokens,
        finish_reason=outcome.finish_reason,
        seed=seed,
        request_id=request_id,
        error=None,
    )


def lost_reasons(what: str, outcomes: Sequence[Completion | Lost]) -> list[str]:
    """A sentence for each different reason why samples were lost."""
    reasons = Counter(outcome.reason for outcome in outcomes if isinstance(outcome, Lost))
    return [f"{count} of {len(outcomes)} {what} lost: {reason}" for reason, count in reasons.items()]
