"""Many records for the page, and a large one."""

from __future__ import annotations

import math
import random
from typing import Any

from egrm_graph.clients.client import no_usage
from egrm_graph.records.record import Generated, Record, Tokens
from egrm_graph.verification import Asked, Uncertainty, Usage, Vote
from tests.tracing.records import STARTED, call, path, record, verification
from tests.viewing.runs import cancelled, escalated, failed


def direct(i: int, **changes: Any) -> Record:
    """An easy question that needed no paths."""
    ms = 40.0 + i % 17
    verdict = verification(
        route="direct",
        answer=str(40 + i),
        best_path=None,
        paths=[],
        uncertainty=Uncertainty(
            measure="consensus",
            value=1.0 if i % 3 else 0.8,
            threshold=0.8,
            votes=[Vote(answer=str(40 + i), count=4)],
            samples=4,
            planned=5,
            orders_agree=None,
            contested=[],
        ),
        usage=Usage(**{**no_usage(), "requests": 1, "prompt_tokens": 12, "completion_tokens": 14 + i % 5}),
    )
    return record(
        run_id=f"direct-{i:05}",
        started_at=STARTED + 60 * i,
        ms=ms,
        asked=Asked(
            question=f"{17 + i}+23",
            history=[],
            reference=str(40 + i),
            key=f"{17 + i}+23",
            judged=None,
            run_id=f"direct-{i:05}",
            started_at=STARTED + 60 * i,
        ),
        why=["4 of 4 fast answers agree, so no path was drawn."],
        verification=verdict,
        **changes,
    )


def several() -> list[Record]:
    """12 direct runs, 6 reasoned runs with one wrong, a failed run, and a cancelled run."""
    hard = []
    for i in range(6):
        each = escalated(run_id=f"hard-{i}", started_at=STARTED + 100 * i, ms=352.0 + 31 * i)
        assert each["verification"] is not None
        each["verification"]["correct"] = i != 3
        hard.append(each)
    return [*(direct(i) for i in range(12)), *hard, failed(), cancelled()]


def large(paths: int = 16, n_tokens: int = 4000) -> Record:
    """Many long paths with five alternatives per token."""
    draw = random.Random(0)
    words = ["so ", "the ", "sum ", "of ", "47 ", "and ", "36 ", "is ", "83, ", "then ", "we ", "take\n"]
    texts, calls = [], []
    for i in range(paths):
        chosen = [draw.choice(words) for _ in range(n_tokens)]
        texts.append("".join(chosen))
        alternatives = []
        for word in chosen:
            others = draw.sample([each for each in words if each != word], 4)
            p = draw.uniform(0.3, 0.99)
            alternatives.append({word: math.log(p), **{each: math.log((1 - p) / 5) for each in others}})
        logprobs = [each[word] for each, word in zip(alternatives, chosen, strict=True)]
        made = Tokens(texts=chosen, logprobs=logprobs, alternatives=alternatives)
        generated = [Generated(seed=100 + i, finish_reason="stop", n_tokens=n_tokens, tokens=made, error=None)]
        calls.append(call("expand_cot", i, [100 + i], 32.0, 9000.0 + i, generated=generated))
    drawn = [path(str(40 + i % 3), 0.5 + i / 100, i, text=text, n_tokens=n_tokens) for i, text in enumerate(texts)]
    return record(ms=9100.0, calls=[record()["calls"][0], *calls], verification=verification(paths=drawn, best_path=0))
