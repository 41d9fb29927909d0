"""From completions to samples: seeds, answers read, and what is said of those that were lost."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence

from egrm_graph.clients.client import Completion
from egrm_graph.clients.drawing import Call, Lost
from egrm_graph.tasks.task import Task, View
from egrm_graph.verification import Path, Sample


def seeds(seed: int, node: str, key: str, n: int) -> tuple[int, ...]:
    """`n` consecutive seeds, other ones for each subject and node: no two samples share their chance."""
    digest = hashlib.sha256(f"{seed}\0{node}\0{key}".encode()).digest()
    first = int.from_bytes(digest[:4], "big") >> 1  # room for n more in 32 bits
    return tuple(range(first, first + n))


def sample_of(
    outcome: Completion | Lost,
    seed: int,
    request_id: str,
    read: Callable[[str, bool], str | None],
    order: Sequence[str] = (),
) -> Sample:
    """The record of one outcome; `read` gives the answer in a text, and is told whether the text is complete."""
    if isinstance(outcome, Lost):
        return Sample(
            text=None,
            thinking=None,
            answer=None,
            n_tokens=None,
            finish_reason=None,
            seed=seed,
            request_id=request_id,
            order=list(order),
            error=outcome.reason,
        )
    return Sample(
        text=outcome.text,
        thinking=outcome.thinking,
        answer=read(outcome.text, outcome.finish_reason == "stop"),
        n_tokens=outcome.n_tokens,
        finish_reason=outcome.finish_reason,
        seed=seed,
        request_id=request_id,
        order=list(order),
        error=None,
    )


def path_of(outcome: Completion | Lost, call: Call, view: View, task: Task) -> Path:
    """The record of one path, not scored yet."""

    def read(text: str, complete: bool) -> str | None:
        return task.read(text, view, fast=False, complete=complete)

    return Path(**sample_of(outcome, call.seeds[0], call.request_id, read, view.order), score=None, unscored=None)


def lost_reasons(what: str, outcomes: Sequence[object]) -> list[str]:
    """A sentence for each different reason why some of the outcomes are `Lost`."""
    reasons = Counter(outcome.reason for outcome in outcomes if isinstance(outcome, Lost))
    return [f"{count} of {len(outcomes)} {what} lost: {reason}" for reason, count in reasons.items()]
