"""Turns completions into samples: seeds, answers, and the reasons why some were lost."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import cast

from egrm_graph.clients.client import Completion, started_turn
from egrm_graph.drawing.calls import Call, Lost
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.tasks.judging import Judging
from egrm_graph.tasks.task import Task
from egrm_graph.verification import Path, Sample, View

LOG_ZERO = -9999.0
"""vLLM's log-probability of an impossible token; JSON has no infinity."""
_ROUNDING = 1e-3


def seeds(seed: int, node: str, key: str, n: int) -> tuple[int, ...]:
    """`n` consecutive seeds, different for each subject and node, so that no two samples share their randomness."""
    digest = hashlib.sha256(f"{seed}\0{node}\0{key}".encode()).digest()
    first = int.from_bytes(digest[:4], "big") >> 1  # room for n more in 32 bits
    return tuple(range(first, first + n))


def sample_of(
    outcome: Completion | Lost,
    seed: int,
    request_id: str,
    read: Callable[[str, bool], str | None],
    order: Sequence[str] = (),
    *,
    start: str = "",
) -> Sample:
    """The record of one outcome. `read` takes a text and whether it is complete, and gives its answer. If the prompt
    started the reply, its text begins with that `start`."""
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
    logprobs, top_logprobs = logprobs_of(outcome)
    text = start + outcome.text
    return Sample(
        text=text,
        thinking=outcome.thinking,
        answer=read(text, outcome.finish_reason == "stop"),
        n_tokens=outcome.n_tokens,
        logprobs=logprobs,
        top_logprobs=top_logprobs,
        finish_reason=outcome.finish_reason,
        seed=seed,
        request_id=request_id,
        order=list(order),
        error=None,
    )


def logprobs_of(completion: Completion) -> tuple[list[float] | None, list[list[float]] | None]:
    """The log-probability of each chosen token, and the largest ones at each position, without the tokens' texts. Both
    are None if any of the numbers cannot be a log-probability."""
    chosen = list(completion.logprobs or ())
    tops = [sorted(top.values(), reverse=True) for top in completion.top_logprobs or ()]
    complete = completion.top_logprobs is None or len(tops) == len(chosen)
    if not chosen or not complete or not all(map(_possible, [[value] for value in chosen] + tops)):
        return None, None
    return _written(chosen), [_written(top) for top in tops] or None


def _possible(values: Sequence[float]) -> bool:
    """Whether these can be the log-probabilities of different tokens; NaN cannot."""
    return bool(values) and all(v <= _ROUNDING for v in values) and math.fsum(map(math.exp, values)) <= 1 + _ROUNDING


def _written(values: Sequence[float]) -> list[float]:
    return [min(max(value, LOG_ZERO), 0.0) for value in values]


def path_of(outcome: Completion | Lost, call: Call, view: View, task: Task) -> Path:
    """The record of one path, before it is scored."""

    def read(text: str, complete: bool) -> str | None:
        return task.read(text, view, fast=False, complete=complete)

    start = started_turn(call.prompt)
    sample = sample_of(outcome, call.seeds[0], call.request_id, read, view["order"], start=start)
    path = cast("Path", {**sample, "score": None, "unscored": None})
    if isinstance(task, Judging) and (text := path["text"]) is not None:
        path["judgment"] = task.read_judgment(text, view, complete=path["finish_reason"] == "stop").as_record()
    return path


def lost_reasons(code: ReasonCode, outcomes: Sequence[object]) -> list[Reason]:
    """One reason of this code for each different cause why some of the outcomes are `Lost`."""
    causes = Counter(outcome.reason for outcome in outcomes if isinstance(outcome, Lost))
    return [code.reason(lost=count, total=len(outcomes), cause=cause) for cause, count in causes.items()]
