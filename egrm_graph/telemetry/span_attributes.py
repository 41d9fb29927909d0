"""What spans and metrics say of runs and calls: names and values as OpenTelemetry takes them.

Names follow the GenAI semantic conventions 1.41; what they have no name for is under `egrm.`. No text of a prompt, an
answer or an error is among the values: contents.py has those.
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

Value: TypeAlias = str | bool | int | float | list[str] | list[int] | list[float]
Attributes: TypeAlias = dict[str, Value]

CANCELLED = "cancelled"
OTHER = "_OTHER"
"""The conventions' word for an error without a class."""
TEXT_MOST = 32_768
"""Characters of one text that are sent; collectors refuse messages of a few megabytes as a whole."""


@dataclass(frozen=True)
class Service:
    """Who answers the calls."""

    provider: str
    operation: str
    in_process: bool


def engine_of(client: Client) -> str:
    """The engine that the client is of; the name of its class where it is of none of those that settings name."""
    return str(getattr(client, "engine", type(client).__name__))


def service_of(settings: Settings, engine: str | None = None) -> Service:
    """The service behind `engine`, which is that of the settings unless another client was handed in."""
    known = ENGINES.get(engine or settings.engine)
    if known is None:
        return Service(engine or settings.engine, "chat", in_process=False)
    completes = known.has_endpoint and settings.endpoint == "completions"
    return Service(known.system(settings), "text_completion" if completes else "chat", known.in_process)


def run_started(model: str, task: str) -> Attributes:
    """Of the run's span, as it begins."""
    return {
        "gen_ai.operation.name": "invoke_workflow",
        "gen_ai.workflow.name": "egrm",
        "egrm.model": clean(model),
        "egrm.task": task,
    }


def run_ended(record: Record) -> Attributes:
    """Of the run's span, as it ends."""
    told = record["verification"]
    found: dict[str, object] = {
        "egrm.run_id": record["run_id"],
        "egrm.status": record["ending"],
        "egrm.engine": record["engine"],
        "egrm.scorer": record["scorer"],
        "egrm.margin": record["margin"],
        "gen_ai.conversation.id": record["metadata"].get("thread_id"),
    }
    if told is not None:
        seen, usage = told["uncertainty"], told["usage"]
        scores = [path["score"] for path in told["paths"] if path["score"] is not None]
        found |= {
            "egrm.route": told["route"],
            "egrm.measure": seen["measure"],
            "egrm.value": seen["value"],
            "egrm.threshold": seen["threshold"],
            "egrm.samples": seen["samples"],
            "egrm.planned": seen["planned"],
            "egrm.votes": [float(vote["count"]) for vote in seen["votes"]],
            "egrm.paths": len(told["paths"]),
            "egrm.scores": scores,
            "egrm.confidence": told["confidence"],
            "egrm.calibrated": told["calibrated"],
            "egrm.correct": told["correct"],
            "egrm.winner": told["winner"],
            "egrm.best_path": told["best_path"],
            "egrm.requests": usage["requests"],
            **{f"egrm.tokens.{kind}": n for kind, n in tokens_of(usage).items()},
        }
    return told_only(found)


def node_ended(node: NodeRun) -> Attributes:
    """Of a node's span, as it ends. Its reasons are counted: they may quote an answer."""
    usage = node["usage"]
    spent = {} if usage is None or not usage["requests"] else tokens_of(usage)
    return told_only({"egrm.reasons": len(node["reasons"]), **{f"egrm.tokens.{kind}": n for kind, n in spent.items()}})


def tokens_of(usage: Mapping[str, Any]) -> dict[str, int]:
    """Tokens by kind: `cached` are part of the input, `cancelled` part of the output."""
    return {
        "input": usage["prompt_tokens"],
        "output": usage["completion_tokens"],
        "cached": usage["cached_tokens"],
        "cancelled": usage["cancelled_tokens"],
    }


def call_named(model: str, service: Service) -> Attributes:
    """Whom a call asks for what; of its span, and of its metrics."""
    return {
        "gen_ai.operation.name": service.operation,
        "gen_ai.provider.name": service.provider,
        "gen_ai.request.model": clean(model),
    }


def call_started(call: ModelCall) -> Attributes:
    """What a call asks for."""
    sampling, seeds = call["sampling"], call["seeds"]
    return told_only(
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


def call_ended(call: ModelCall) -> Attributes:
    """What came of a call."""
    usage, first_ms = call["usage"], call["first_token_ms"]
    return told_only(
        {
            "gen_ai.usage.input_tokens": usage and usage["prompt_tokens"],
            "gen_ai.usage.output_tokens": usage and usage["completion_tokens"],
            "gen_ai.usage.cache_read.input_tokens": usage and usage["cached_tokens"],
            "gen_ai.response.finish_reasons": [each["finish_reason"] or "error" for each in call["generated"]],
            "gen_ai.request.stream": None if first_ms is None else True,
            "gen_ai.response.time_to_first_chunk": None if first_ms is None else (first_ms - call["started_ms"]) / 1000,
            "egrm.lost": sum(each["error"] is not None for each in call["generated"]),
            "egrm.retries": len(call["retries"]),
            **server_of(call["server"]),
        }
    )


def server_of(base_url: str | None) -> Attributes:
    """Host and port of a URL; not its path, nor a password in it."""
    if base_url is None:
        return {}
    try:
        parts = urlsplit(base_url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return {}
    return told_only({"server.address": parts.hostname, "server.port": port})


def error_type(error: str | None) -> str:
    """The class at the beginning of `ServerError: the server ...`."""
    name = (error or "").partition(":")[0]
    return name if name.isidentifier() else OTHER


def clean(text: str) -> str:
    """The text as it can be sent: of bounded length, and without the halves of characters that UTF-8 has no bytes
    for, over which an exporter would lose everything it sends at once."""
    more = len(text) - TEXT_MOST
    cut = text if more <= 0 else f"{text[:TEXT_MOST]} ({more} more characters)"
    return cut.encode("utf-8", "replace").decode()


def told_only(given: Mapping[str, object]) -> Attributes:
    """Without what is None or no finite number, and without empty lists; texts are cleaned."""
    found: Attributes = {}
    for name, value in given.items():
        if isinstance(value, str):
            found[name] = clean(value)
        elif isinstance(value, float):
            found |= {name: value} if math.isfinite(value) else {}
        elif isinstance(value, bool | int) or (isinstance(value, list) and value):
            found[name] = value
    return found
