"""Records for the page: a run with every part, and runs with every ending."""

from __future__ import annotations

import math
from typing import Any

from egrm_graph.records.record import Generated, Record, Retry, Tokens
from egrm_graph.verification import Asked, Judged, Reading, Uncertainty, Usage, Vote
from tests.tracing.records import RUN, STARTED, call, node, path, record, sample, verification

STEPS = {
    "58": "47+36=83;83-18=65;65-30=35;35+23=58;#58",
    "48": "47+36=73;73-18=55;55-30=25;25+23=48;#48",
    "none": "47+36=83;83-18=65;65-30=35;35+2",
}

FAST = Usage(requests=1, prompt_tokens=12, cached_tokens=0, completion_tokens=20, cancelled_tokens=0)
REASONED = Usage(requests=5, prompt_tokens=98, cached_tokens=64, completion_tokens=151, cancelled_tokens=31)


def tokens_of(text: str, unsure: dict[str, dict[str, float]]) -> Tokens:
    """One token per character, which is certain unless `unsure` has probabilities for the text before it."""
    texts, logprobs, alternatives = [], [], []
    for i, character in enumerate(text):
        probabilities = unsure.get(text[:i], {character: 0.97, "_": 0.02})
        texts.append(character)
        logprobs.append(math.log(probabilities[character]))
        alternatives.append({token: math.log(p) for token, p in probabilities.items()})
    return Tokens(texts=texts, logprobs=logprobs, alternatives=alternatives)


def escalated(**changes: Any) -> Record:
    """Three of five fast answers agree, so it reasoned. Path 2 won; one call was retried, another was cancelled."""
    carry = {"47+36=": {"8": 0.6, "7": 0.35, "9": 0.04}}
    slip = {"47+36=": {"8": 0.62, "7": 0.36}}
    chains = [("48", 0.11, slip), ("58", 0.96, carry), ("58", 0.93, carry)]
    paths = [path(answer, score, i, text=STEPS[answer], n_tokens=40) for i, (answer, score, _) in enumerate(chains)]
    lost = path(None, None, 3, text=STEPS["none"], n_tokens=31, finish_reason="abort")
    drawn = [
        call(
            "expand_cot",
            i,
            [100 + i],
            62.0,
            290.0 + 20 * i,
            first_token_ms=84.0 + 3 * i,
            generated=[
                Generated(
                    seed=100 + i,
                    finish_reason="stop",
                    n_tokens=40,
                    tokens=tokens_of(STEPS[answer], unsure),
                    error=None,
                )
            ],
        )
        for i, (answer, _, unsure) in enumerate(chains)
    ]
    drawn[2]["retries"] = [Retry(at_ms=120.0, reason="503: the server is overloaded")]
    drawn[2]["first_token_ms"] = 190.0
    cut = call(
        "expand_cot",
        3,
        [103],
        62.0,
        338.0,
        first_token_ms=90.0,
        ending="cancelled",
        usage=None,
        generated=[],
    )
    complete = record(
        ms=352.0,
        ending="degraded",
        asked=Asked(
            question="47+36-18-30+23",
            history=[],
            reference="58",
            key="47+36-18-30+23",
            judged=None,
            run_id=RUN,
            started_at=STARTED,
        ),
        nodes=[
            node("answer_fast", 1.0, 60.0, usage=FAST),
            node("check_uncertainty", 60.2, 60.6),
            node("expand_cot", 61.0, 339.0, usage=REASONED),
            node("score_paths", 339.5, 350.5),
            node("select_answer", 351.0, 351.4),
        ],
        prompts=[
            [{"role": "user", "content": "47+36-18-30+23\nAnswer at once."}],
            [{"role": "user", "content": "47+36-18-30+23\nThink step by step."}],
        ],
        calls=[call("answer_fast", 0, [1, 2, 3, 4, 5], 2.0, 59.0, first_token_ms=31.0), *drawn, cut],
        settings={"samples": 5, "paths": 4, "threshold": 0.8, "model": "egrm-tiny", "trace_tokens": 5},
        sources={"threshold": "context", "model": "build", "trace_tokens": "build"},
        classes=[0, 1, 0, 0, None],
        margin=-0.2,
        why=[
            "3 of 5 fast answers are 58: consensus 0.6, under the threshold 0.8, so it reasoned.",
            "weighted_vote: 58 has scores of 1.89 in all, 48 of 0.11; path 2 is the best of it.",
        ],
        verification=verification(
            status="degraded",
            answer="58",
            best_path=1,
            confidence=0.96,
            uncertainty=Uncertainty(
                measure="consensus",
                value=0.6,
                threshold=0.8,
                votes=[Vote(answer="58", count=3), Vote(answer="48", count=1)],
                samples=5,
                planned=5,
                orders_agree=None,
                contested=[],
            ),
            samples=[sample(answer, 1 + i) for i, answer in enumerate(("58", "48", "58", "58", None))],
            paths=[*paths, lost],
            reasons=["path 4 was cut off by the deadline of 0.34 s"],
            usage=Usage(requests=6, prompt_tokens=110, cached_tokens=64, completion_tokens=171, cancelled_tokens=31),
            timing_ms={
                "answer_fast": 59.0,
                "check_uncertainty": 0.4,
                "expand_cot": 278.0,
                "score_paths": 11.0,
                "select_answer": 0.4,
            },
        ),
    )
    return Record(**{**complete, **changes})  # type: ignore[typeddict-item]


def failed() -> Record:
    return record(
        run_id="failed",
        ending="failed",
        error="the server at http://localhost:8000/v1 did not answer; is it running?",
        verification=None,
        why=[],
        margin=None,
        classes=[],
        nodes=[node("answer_fast", 0.0, 20.0, usage=None, reasons=["1 of 1 samples was lost"], error="ServerError")],
        calls=[call("answer_fast", 0, [1], 1.0, 19.0, ending="failed", error="connection refused", usage=None)],
    )


def cancelled() -> Record:
    return record(
        run_id="cancelled", ending="cancelled", verification=None, why=[], margin=None, nodes=[], calls=[], prompts=[]
    )


def without_texts(level: str = "full") -> Record:
    """A run at level `summary` without texts."""
    verdict = verification(answer="answer 1")
    for each in (*verdict["samples"], *verdict["paths"]):
        each["text"] = None
    calls = record()["calls"]
    for made in calls:
        made["prompt"] = None
        for generated in made["generated"]:
            generated["tokens"] = None
    return record(
        run_id=f"no-texts-{level}",
        level=level,
        texts=level == "summary",
        asked=None,
        prompts=[],
        calls=calls,
        verification=verdict,
    )


def judged() -> Record:
    """Two candidates, judged by label probabilities in both orders."""
    texts = ["It is 65.", "It is 66."]
    asked = Asked(
        question="What is 17+48?",
        history=[],
        reference=None,
        key="17+48",
        judged=Judged(
            texts=texts,
            unfit=[None, None],
            same_as=[0, 1],
            calls=[[], []],
            items=[0, 1],
            conversation=[],
            tools=None,
            rubric=None,
            code="3f2a91c0",
        ),
        run_id=RUN,
        started_at=STARTED,
    )
    readings = [
        Reading(order=order, probabilities=p, mass=0.9, samples=3, request_id=f"{RUN}.answer_fast.{i}", error=None)
        for i, (order, p) in enumerate(
            ((["A", "B"], {"A": 0.9, "B": 0.1}), (["B", "A"], {"A": 0.7, "B": 0.3})),
        )
    ]
    labels: dict[str, Any] = {"kind": "labels", "labels": ["A", "B"], "sampling": {}, "generated": []}
    return record(
        run_id="judged",
        task="pairwise",
        asked=asked,
        calls=[call("answer_fast", i, [], 1.0, 12.0, **labels) for i in range(2)],
        nodes=record()["nodes"][:2],
        classes=[],
        margin=0.1,
        why=["Both orders prefer A."],
        verification=verification(
            route="direct",
            answer="A",
            correct=None,
            winner=0,
            best_path=None,
            rewards=[0.8, 0.2],
            unrewarded=[None, None],
            tie=0.0,
            confidence=0.8,
            calibrated=None,
            uncertainty=Uncertainty(
                measure="label_margin",
                value=0.6,
                threshold=0.5,
                votes=[Vote(answer="A", count=4.8), Vote(answer="B", count=1.2)],
                samples=6,
                planned=6,
                orders_agree=True,
                contested=["A", "B"],
            ),
            samples=[],
            readings=readings,
            paths=[],
        ),
    )
