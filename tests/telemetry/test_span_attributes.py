"""The attributes of spans, which never contain texts."""

import json
import math
from typing import Any

import pytest

from egrm_graph.settings import Settings
from egrm_graph.telemetry import span_attributes as described
from egrm_graph.telemetry.span_attributes import Service
from egrm_graph.verification import Usage
from tests.tracing.records import call, node, path, record, sample, verification


@pytest.mark.parametrize(
    ("settings", "service"),
    [
        ({"engine": "embedded"}, Service("transformers", "chat", in_process=True)),
        ({"engine": "vllm", "model": "m"}, Service("vllm", "chat", in_process=False)),
        (
            {"engine": "vllm", "model": "m", "endpoint": "completions"},
            Service("vllm", "text_completion", in_process=False),
        ),
        ({"base_url": ("http://gpu:8000/v1",), "model": "m"}, Service("openai", "chat", in_process=False)),
        (
            {"engine": "openai", "model": "m", "endpoint": "completions"},
            Service("openai", "text_completion", in_process=False),
        ),
        ({"engine": "chat_model", "model": "openai:gpt-4.1-mini"}, Service("openai", "chat", in_process=False)),
        ({"engine": "chat_model", "model": "google_genai:gemini"}, Service("gcp.gemini", "chat", in_process=False)),
        ({"engine": "chat_model", "model": "ollama:qwen3:8b"}, Service("ollama", "chat", in_process=False)),
        ({"engine": "chat_model", "model": "mine"}, Service("langchain", "chat", in_process=False)),
    ],
)
def test_the_service_behind_an_engine(settings: dict[str, Any], service: Service) -> None:
    assert described.service_of(Settings(**settings)) == service


def test_the_attributes_of_a_reasoned_run() -> None:
    assert described.run_ended(record()) == {
        "egrm.run_id": "0123456789abcdef0123456789abcdef",
        "egrm.status": "ok",
        "egrm.engine": "vllm",
        "egrm.scorer": "egrm-tiny-scorer",
        "egrm.margin": -0.2,
        "gen_ai.conversation.id": "7",
        "egrm.route": "reasoned",
        "egrm.measure": "consensus",
        "egrm.value": 0.6,
        "egrm.threshold": 0.8,
        "egrm.samples": 5,
        "egrm.planned": 5,
        "egrm.votes": [3.0, 2.0],
        "egrm.paths": 4,
        "egrm.scores": [0.91, 0.12, 0.88],
        "egrm.confidence": 0.91,
        "egrm.calibrated": True,
        "egrm.correct": True,
        "egrm.best_path": 0,
        "egrm.requests": 5,
        "egrm.tokens.input": 60,
        "egrm.tokens.output": 116,
        "egrm.tokens.cached": 24,
        "egrm.tokens.cancelled": 0,
    }


def test_a_run_without_a_verdict() -> None:
    failed = record(ending="failed", verification=None, margin=None, scorer=None, metadata={})
    assert described.run_ended(failed) == {
        "egrm.run_id": "0123456789abcdef0123456789abcdef",
        "egrm.status": "failed",
        "egrm.engine": "vllm",
    }


def test_paths_without_scores_have_no_scores() -> None:
    unscored = record(verification=verification(paths=[path("42", None, 0)]))
    assert "egrm.scores" not in described.run_ended(unscored)


def test_the_attributes_of_a_started_call() -> None:
    assert described.call_started(call("answer_fast", 0, [1, 2, 3], 1.0, 29.0)) == {
        "gen_ai.request.temperature": 1.0,
        "gen_ai.request.max_tokens": 64,
        "gen_ai.request.top_p": 1.0,
        "gen_ai.request.choice.count": 3,
        "egrm.node": "answer_fast",
        "egrm.kind": "sample",
        "egrm.request_id": "0123456789abcdef0123456789abcdef.answer_fast.0",
        "egrm.seeds": [1, 2, 3],
    }


def test_a_single_seed_uses_the_conventions_attribute() -> None:
    asked = described.call_started(call("expand_cot", 0, [101], 1.0, 29.0))
    assert (asked["gen_ai.request.seed"], "gen_ai.request.choice.count" in asked) == (101, False)


def test_a_call_for_labels_has_no_sampling() -> None:
    asked = described.call_started(call("answer_fast", 0, [], 1.0, 29.0, kind="labels", sampling={}, labels=["A"]))
    assert asked == {
        "egrm.node": "answer_fast",
        "egrm.kind": "labels",
        "egrm.request_id": "0123456789abcdef0123456789abcdef.answer_fast.0",
    }


def test_the_attributes_of_an_ended_call() -> None:
    usage = Usage(requests=1, prompt_tokens=12, cached_tokens=8, completion_tokens=7, cancelled_tokens=0)
    ended = call("answer_fast", 0, [1, 2], 10.0, 40.0, usage=usage, first_token_ms=25.0)
    ended["generated"][1] = {**ended["generated"][1], "finish_reason": "abort", "error": "overloaded"}
    assert described.call_ended(ended) == {
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.response.finish_reasons": ["stop", "abort"],
        "gen_ai.request.stream": True,
        "gen_ai.response.time_to_first_chunk": 0.015,
        "egrm.lost": 1,
        "egrm.retries": 0,
        "server.address": "localhost",
        "server.port": 8000,
    }


@pytest.mark.parametrize(
    ("url", "reported"),
    [
        ("https://user:secret@gpu.example/v1", {"server.address": "gpu.example", "server.port": 443}),
        ("http://[::1]:9000/v1", {"server.address": "::1", "server.port": 9000}),
        ("http://gpu:99999/v1", {}),
        (None, {}),
    ],
)
def test_a_server_is_reported_by_host_and_port(url: str | None, reported: dict[str, Any]) -> None:
    assert described.server_of(url) == reported


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("ServerError: 17+25 broke off", "ServerError"),
        ("the answer was 17: lost", "_OTHER"),
        ("", "_OTHER"),
        (None, "_OTHER"),
    ],
)
def test_an_error_is_reported_by_its_class(error: str | None, kind: str) -> None:
    assert described.error_type(error) == kind


def test_a_node_reports_its_tokens_and_counts_its_reasons() -> None:
    usage = Usage(requests=2, prompt_tokens=24, cached_tokens=12, completion_tokens=9, cancelled_tokens=4)
    assert described.node_ended(node("expand_cot", 0.0, 1.0, usage=usage, reasons=["one path was lost"])) == {
        "egrm.reasons": 1,
        "egrm.tokens.input": 24,
        "egrm.tokens.output": 9,
        "egrm.tokens.cached": 12,
        "egrm.tokens.cancelled": 4,
    }


def test_a_node_without_requests_reports_no_tokens() -> None:
    assert described.node_ended(node("check_uncertainty", 0.0, 1.0)) == {"egrm.reasons": 0}


def test_unpaired_surrogates_are_replaced_and_long_texts_truncated() -> None:
    assert described.clean("a\ud800b") == "a?b"
    assert described.clean("x" * 10_000_000) == "x" * 32_768 + " (9967232 more characters)"


def test_unknown_values_are_left_out() -> None:
    values: dict[str, object] = {"a": None, "b": math.nan, "c": -math.inf, "d": [], "e": 0, "f": False, "g": ""}
    assert described.known_attributes(values) == {"e": 0, "f": False, "g": ""}


def test_attributes_never_contain_texts() -> None:
    secret = "Xyzzy"
    asked = [{"role": "user", "content": secret}]
    verdict = verification(
        answer=secret,
        reasons=[secret],
        samples=[sample(secret, 1)],
        paths=[path(secret, 0.5, 0)],
        uncertainty={**verification()["uncertainty"], "votes": [{"answer": secret, "count": 1}]},
    )
    full = record(prompts=[asked], why=[secret], error=f"ServerError: {secret}", ending="failed", verification=verdict)
    spoiled = call("answer_fast", 0, [1], 0.0, 1.0, error=secret, retries=[{"at_ms": 0.5, "reason": secret}])
    reported = [described.run_ended(full), described.call_started(spoiled), described.call_ended(spoiled)]
    assert secret not in json.dumps(reported)
