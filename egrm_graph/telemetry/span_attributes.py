"""The attributes of runs and calls in spans and metrics.

Names follow the GenAI semantic conventions 1.41, and begin with `egrm.` where the conventions have none. The values
contain no text of a prompt, an answer, or an error; span_contents.py adds those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from egrm_graph.clients.client import Client
from egrm_graph.clients.engines import ENGINES
from egrm_graph.records.record import ModelCall, NodeRun, Record
from egrm_graph.settings import Settings

AttributeValue: TypeAlias = str | bool | int | float | list[str] | list[int] | list[float]
SpanAttributes: TypeAlias = dict[str, AttributeValue]

CANCELLED = "cancelled"
OTHER = "_OTHER"
"""The conventions' name for an error without a class."""
MAX_TEXT_CHARACTERS = 32_768
"""Longer texts are truncated: collectors reject messages of a few megabytes."""


@dataclass(frozen=True)
class Service:
    """The service that answers the calls."""

    provider: str
    operation: str
    in_process: bool


def engine_of(client: Client) -> str:
    """The engine that the client is of; the name of its class where it is of none of those that settings name."""
    return str(getattr(client, "engine", type(client).__name__))


def service_of(settings: Settings, engine: str | None = None) -> Service:
    """The service behind `engine`, which is that of the settings unless another client was passed in."""
    known = ENGINES.get(engine or settings.engine)
    if known is None:
        return Service(engine or settings.engine, "chat", in_process=False)
    completes = known.has_endpoint and settings.endpoint == "completions"
    return Service(known.system(settings), "text_completion" if completes else "chat", known.in_process)


def run_started(model: str, task: str) -> SpanAttributes:
    """The attributes of a run's span when it starts."""
    return {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "egrm",
        "egrm.model": clean(model),
        "egrm.task": task,
    }


def run_ended(record: Record) -> SpanAttributes:
    """The attributes of a run's span when it ends."""
    verdict = record["verification"]
    found: dict[str, object] = {
        "egrm.run_id": record["run_id"],
        "egrm.status": record["ending"],
        "egrm.engine": record["engine"],
        "egrm.scorer": record["scorer"],
        "egrm.margin": record["margin"],
        "gen_ai.conversation.id": record["metadata"].get("thread_id"),
    }
    if verdict is not None:
        gate, usage = verdict["uncertainty"], verdict["usage"]
        scores = [path["score"] for path in verdict["paths"] if path["score"] is not None]
        found |= {
            "egrm.route": verdict["route"],
            "egrm.measure": gate["measure"],
            "egrm.value": gate["value"],
            "egrm.threshold": gate["threshold"],
            "egrm.samples": gate["samples"],
            "egrm.planned": gate["planned"],
            "egrm.votes": [float(vote["count"]) for vote in gate["votes"]],
            "egrm.paths": len(verdict["paths"]),
            "egrm.scores": scores,
            "egrm.confidence": verdict["confidence"],
            "egrm.calibrated": verdict["calibrated"],
            "egrm.correct": verdict["correct"],
            "egrm.winner": verdict["winner"],
            "egrm.best_path": verdict["best_path"],
            "egrm.requests": usage["requests"],
            **{f"egrm.tokens.{kind}": n for kind, n in tokens_of(usage).items()},
        }
    return known_attributes(found)


def node_ended(node: NodeRun) -> SpanAttributes:
    """The attributes of a node's span when it ends. Reasons are only counted, because they may quote an answer."""
    usage = node["usage"]
    spent = {} if usage is None or not usage["requests"] else tokens_of(usage)
    return known_attributes(
        {"egrm.reasons": len(node["reasons"]), **{f"egrm.tokens.{kind}": n for kind, n in spent.items()}}
    )


def tokens_of(usage: Mapping[str, Any]) -> dict[str, int]:
    """Tokens by kind. `cached` tokens are part of the input, `cancelled` tokens part of the output."""
    return {
        "input": usage["prompt_tokens"],
        "output": usage["completion_tokens"],
        "cached": usage["cached_tokens"],
        "cancelled": usage["cancelled_tokens"],
    }


def call_named(model: str, service: Service) -> SpanAttributes:
    """The attributes that a call's span and metrics share."""
    return {
        "gen_ai.operation.name": service.operation,
        "gen_ai.provider.name": service.provider,
        "gen_ai.request.model": clean(model),
    }


def call_started(call: ModelCall) -> SpanAttributes:
    """The attributes of a call's span when it starts."""
    sampling, seeds = call["sampling"], call["seeds"]
    return known_attributes(
        {
            "gen_ai.request.temperature": sampling.get("temperature"),
            "gen_ai.request.max_tokens": sampling.get("max_tokens"),
            "gen_ai.request.top_p": sampling.get("top_p"),
            "gen_ai.request.seed": seeds[0] if len(seeds) == 1 else None,
            "gen_ai.request.choice.count": len(seeds) if len(seeds) > 1 else None,
            "egrm.node": call["node"],
            "egrm.kind": call["kind"],
            "egrm.request_id": call["request_id"],
            "egrm.seeds": seeds,
        }
    )


def call_ended(call: ModelCall) -> SpanAttributes:
    """The attributes of a call's span when it ends."""
    usage, first_ms = call["usage"], call["first_token_ms"]
    return known_attributes(
        {
            "gen_ai.usage.input_tokens": usage and usage["prompt_tokens"],
            "gen_ai.usage.output_tokens": usage and usage["completion_tokens"],
            "gen_ai.usage.cache_read.input_tokens": usage and usage["cached_tokens"],
            "gen_ai.response.finish_reasons": [
                completion["finish_reason"] or "error" for completion in call["generated"]
            ],
            "gen_ai.request.stream": None if first_ms is None else True,
            "gen_ai.response.time_to_first_chunk": None if first_ms is None else (first_ms - call["started_ms"]) / 1000,
            "egrm.lost": sum(completion["error"] is not None for completion in call["generated"]),
            "egrm.retries": len(call["retries"]),
            **server_of(call["server"]),
        }
    )


def server_of(base_url: str | None) -> SpanAttributes:
    """The host and port of a URL, without its path or password."""
    if base_url is None:
        return {}
    try:
        parts = urlsplit(base_url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return {}
    return known_attributes({"server.address": parts.hostname, "server.port": port})


def error_type(error: str | None) -> str:
    """The class name at the start of an error such as `ServerError: the server ...`."""
    name = (error or "").partition(":")[0]
    return name if name.isidentifier() else OTHER


def clean(text: str) -> str:
    """Truncate the text and replace unpaired surrogates. UTF-8 cannot encode those, and an exporter would lose its
    entire batch."""
    more = len(text) - MAX_TEXT_CHARACTERS
    cut = text if more <= 0 else f"{text[:MAX_TEXT_CHARACTERS]} ({more} more characters)"
    return cut.encode("utf-8", "replace").decode()


def known_attributes(values: Mapping[str, object]) -> SpanAttributes:
    """Remove None, numbers that are not finite, and empty lists. Cleans texts."""
    found: SpanAttributes = {}
    for name, value in values.items():
        if isinstance(value, str):
            found[name] = clean(value)
        elif isinstance(value, float):
            found |= {name: value} if math.isfinite(value) else {}
        elif isinstance(value, bool | int) or (isinstance(value, list) and value):
            found[name] = value
    return found
