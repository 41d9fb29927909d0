"""Records of runs for tests."""

from __future__ import annotations

import copy
from typing import Any

from egrm_graph.clients.client import no_usage
from egrm_graph.records.record import Generated, ModelCall, NodeRun, Record, Tokens
from egrm_graph.verification import Asked, Message, Path, Sample, Uncertainty, Usage, Verification, Vote

RUN = "0123456789abcdef0123456789abcdef"
STARTED = 1_790_000_000.0
PROMPT: list[Message] = [Message(role="user", content="17+25\nAnswer at once.")]
REASONING: list[Message] = [Message(role="user", content="17+25\nThink step by step.")]


def sample(answer: str | None, seed: int, node: str = "answer_fast", first: int = 0, **changes: Any) -> Sample:
    fields: dict[str, Any] = {
        "text": f"= {answer}" if answer is not None else "I do not know",
        "thinking": None,
        "answer": answer,
        "n_tokens": 4,
        "logprobs": None,
        "top_logprobs": None,
        "finish_reason": "stop",
        "seed": seed,
        "request_id": f"{RUN}.{node}.{first}",
        "order": [],
        "error": None,
    }
    return Sample(**{**fields, **changes})  # type: ignore[typeddict-item]


def path(answer: str | None, score: float | None, i: int, **changes: Any) -> Path:
    drawn = sample(answer, 100 + i, "expand_cot", i, text=f"17+25 = 17+20+5 = 37+5 = {answer}", n_tokens=24)
    unscored = None if score is not None else "it has no answer"
    later = dict.fromkeys(("steps", "aggregate", "branch", "judgment"))
    added: dict[str, Any] = {"score": score, "unscored": unscored, **later}
    return Path(**{**drawn, **added, **changes})  # type: ignore[typeddict-item]


def tokens(*texts: str) -> Tokens:
    return Tokens(
        texts=list(texts),
        logprobs=[-0.25 for _ in texts],
        alternatives=[{text: -0.25, "?": -1.75} for text in texts],
    )


def node(name: str, started_ms: float, ended_ms: float, **changes: Any) -> NodeRun:
    usage = None if name == "select_answer" else no_usage()
    fields: dict[str, Any] = {"usage": usage, "reasons": [], "error": None}
    return NodeRun(name=name, started_ms=started_ms, ended_ms=ended_ms, **{**fields, **changes})  # type: ignore[typeddict-item]


def call(node: str, first: int, seeds: list[int], started_ms: float, ended_ms: float, **changes: Any) -> ModelCall:
    fields: dict[str, Any] = {
        "node": node,
        "kind": "sample",
        "request_id": f"{RUN}.{node}.{first}",
        "prompt": 0 if node == "answer_fast" else 1,
        "sampling": {"temperature": 1.0, "max_tokens": 64, "top_p": 1.0, "logprobs": 2, "thinking": "off"},
        "reply_form": "free",
        "labels": [],
        "seeds": seeds,
        "started_ms": started_ms,
        "first_token_ms": started_ms + 2,
        "ended_ms": ended_ms,
        "ending": "ok",
        "error": None,
        "retries": [],
        "server": "http://localhost:8000/v1",
        "usage": Usage(**{**no_usage(), "requests": 1, "prompt_tokens": 12, "completion_tokens": 4 * len(seeds)}),
        "generated": [
            Generated(seed=seed, finish_reason="stop", n_tokens=4, tokens=tokens("=", " ", "4", "2"), error=None)
            for seed in seeds
        ],
    }
    return ModelCall(**{**fields, **changes})  # type: ignore[typeddict-item]


def verification(**changes: Any) -> Verification:
    fields = Verification(
        run_id=RUN,
        status="ok",
        route="reasoned",
        answer="42",
        best_guess=None,
        correct=True,
        winner=None,
        best_path=0,
        rewards=None,
        unrewarded=None,
        tie=None,
        confidence=0.91,
        calibrated=True,
        uncertainty=Uncertainty(
            measure="consensus",
            value=0.6,
            threshold=0.8,
            votes=[Vote(answer="42", count=3), Vote(answer="32", count=2)],
            samples=5,
            planned=5,
            orders_agree=None,
            contested=[],
        ),
        samples=[sample(answer, 1 + i) for i, answer in enumerate(("42", "32", "42", "42", "32"))],
        readings=[],
        paths=[path("42", 0.91, 0), path("32", 0.12, 1), path("42", 0.88, 2), path(None, None, 3)],
        reasons=[],
        usage=Usage(requests=5, prompt_tokens=60, cached_tokens=24, completion_tokens=116, cancelled_tokens=0),
        timing_ms={
            "answer_fast": 30.0,
            "check_uncertainty": 0.2,
            "expand_cot": 90.0,
            "score_paths": 8.0,
            "select_answer": 0.3,
        },
    )
    return Verification(**{**fields, **changes})  # type: ignore[typeddict-item]


def record(**changes: Any) -> Record:
    """A reasoned run. Two of its four paths are right, one is wrong, and one has no answer."""
    fields = Record(
        version=1,
        level="full",
        texts=True,
        run_id=RUN,
        trace_id=None,
        started_at=STARTED,
        ms=131.0,
        ending="ok",
        error=None,
        package="0.1.0",
        engine="vllm",
        model="egrm-tiny",
        task="arithmetic",
        scorer="egrm-tiny-scorer",
        server_version="0.32.0",
        metadata={"thread_id": "7"},
        settings={"samples": 5, "threshold": 0.8, "model": "egrm-tiny"},
        sources={"threshold": "context", "model": "build"},
        asked=Asked(
            question="17+25", history=[], reference="42", key="17+25", judged=None, run_id=RUN, started_at=STARTED
        ),
        nodes=[
            node("answer_fast", 0.0, 30.0),
            node("check_uncertainty", 30.5, 30.7),
            node("expand_cot", 31.0, 121.0),
            node("score_paths", 121.5, 129.5),
            node("select_answer", 130.0, 130.3),
        ],
        prompts=[PROMPT, REASONING],
        calls=[
            call("answer_fast", 0, [1, 2, 3, 4, 5], 1.0, 29.0),
            *(call("expand_cot", i, [100 + i], 32.0, 80.0 + 10 * i) for i in range(4)),
        ],
        classes=[0, 1, 0, 0, 1],
        margin=-0.2,
        why=[
            "3 of 5 fast answers are 42: consensus 0.6, under the threshold 0.8, so it reasoned.",
            "weighted_vote: 42 has scores of 1.79 in all, 32 of 0.12; path 1 is the best of it.",
        ],
        verification=verification(),
    )
    return Record(**{**copy.deepcopy(fields), **changes})  # type: ignore[typeddict-item]
