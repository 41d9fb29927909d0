"""From completions to samples: seeds, answers read, and what is said of those that were lost."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence

from egrm_graph.clients.client import Completion
from egrm_graph.drawing.calls import Call, Lost
from egrm_graph.tasks.task import Task, View
from egrm_graph.verification import Path, Sample

LOG_ZERO = -9999.0
"""How vLLM writes the log-probability of what is impossible; JSON has no infinity."""
_ROUNDING = 1e-3


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
            logprobs=None,
            top_logprobs=None,
            finish_reason=None,
            seed=seed,
            request_id=request_id,
            order=list(order),
            error=outcome.reason,
        )
    logprobs, top_logprobs = told_logprobs(outcome)
    return Sample(
        text=outcome.text,
        thinking=outcome.thinking,
        answer=read(outcome.text, outcome.finish_reason == "stop"),
        n_tokens=outcome.n_tokens,
        logprobs=logprobs,
        top_logprobs=top_logprobs,
        finish_reason=outcome.finish_reason,
        seed=seed,
        request_id=request_id,
        order=list(order),
        error=None,
    )


def told_logprobs(completion: Completion) -> tuple[list[float] | None, list[list[float]] | None]:
    """The chosen tokens' log-probabilities and each position's largest ones, without the tokens' texts; both None
    where any of the numbers given cannot be one."""
    chosen = list(completion.logprobs or ())
    tops = [sorted(top.values(), reverse=True) for top in completion.top_logprobs or ()]
    whole = completion.top_logprobs is None or len(tops) == len(chosen)
    if not chosen or not whole or not all(map(_possible, [[value] for value in chosen] + tops)):
        return None, None
    return _written(chosen), [_written(top) for top in tops] or None


def _possible(values: Sequence[float]) -> bool:
    """Whether these can be the log-probabilities of different tokens: never so for NaN."""
    return bool(values) and all(v <= _ROUNDING for v in values) and math.fsum(map(math.exp, values)) <= 1 + _ROUNDING


def _written(values: Sequence[float]) -> list[float]:
    return [min(max(value, LOG_ZERO), 0.0) for value in values]


def path_of(outcome: Completion | Lost, call: Call, view: View, task: Task) -> Path:
    """The record of one path, not scored yet."""

    def read(text: str, complete: bool) -> str | None:
        return task.read(text, view, fast=False, complete=complete)

    return Path(**sample_of(outcome, call.seeds[0], call.request_id, read, view.order), score=None, unscored=None)


def lost_reasons(what: str, outcomes: Sequence[object]) -> list[str]:
    """A sentence for each different reason why some of the outcomes are `Lost`."""
    reasons = Counter(outcome.reason for outcome in outcomes if isinstance(outcome, Lost))
    return [f"{count} of {len(outcomes)} {what} lost: {reason}" for reason, count in reasons.items()]
