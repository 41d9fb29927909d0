"""Generate server replies together with the texts that can be read in them, as the oracle of the fuzz tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st

from egrm_graph.clients.server_requests import Endpoint

Result = TypeVar("Result")

BATCH = 10
KEYS = ["finish_reason", "finishReason", "FINISH_REASON", "stop_reason", "stopReason", "done_reason", "stop-type"]
CLEAN = ["stop", "eos", "end_turn", "STOP", "stop_sequence", "tool_calls", "COMPLETE", "eos_token", {"type": "stop"}]
UNCLEAN = [
    *("length", "max_tokens", "MAX_TOKENS", "model_length", "incomplete", "pause_turn", "repetition", "time_limit"),
    *(
        "content_filter",
        "SAFETY",
        "guardrail_intervened",
        "refusal",
        "RECITATION",
        "error",
        "abort",
        "OTHER",
        "cancelled",
    ),
    *("wxyz", "stoplength", "", None, 0, False, 7, {"type": "abort", "message": "no"}, {}, ["length"]),
]
"""Words, and values in place of words, that do not mean that a text is complete. No provider sends some of them."""
JUNK: list[Any] = [
    *(None, True, 0, -1, 7, 1.5, 10**400, float("nan"), float("inf"), "", "junk", "\ud800", [], [None], [[]], {}),
    *({"a": None}, [{"type": "image_url"}], {"content": None}, {"index": 0}, [0, 1], {"type": "text", "text": 3}),
]
TEXTS = ["28", "The answer is 28.", "\\boxed{28}", "", " ", "é 😀", "a\nb\r\nc", "data: [DONE]", "{", "\u2028"]


@dataclass(frozen=True)
class Sent:
    """One choice as a server sends it, and its text if it is complete and readable."""

    choice: dict[str, Any]
    text: str | None


@dataclass(frozen=True)
class EventFormat:
    """How a server writes server-sent events."""

    before: str = ""
    data: str = "data: "
    after: str = "\n\n"
    end: str = "data: [DONE]\n\n"
    line_end: str = "\n"
    ascii: bool = True


Reply = tuple[int, dict[str, Any], dict[int, str]]


def _choice(random: Random, index: int) -> Sent:
    """Generate a choice of the chat route or of the completions route."""
    text = random.choice(TEXTS)
    form = random.choice(["text", "text", "message", "parts", "texts", "part", "thinking", "null", "unreadable"])
    clean = random.random() < 0.75
    choice: dict[str, Any] = {"index": index, "finish_reason": random.choice(CLEAN if clean else UNCLEAN)}
    if form == "text":
        choice["text"] = text
    elif form == "unreadable":
        contents: list[Any] = [{"content": [{"type": "image_url"}, text]}, {"content": 28}, None]
        choice["message"] = random.choice([*contents, {"content": text, "refusal": "No."}])
    else:
        part = {"type": "text", "text": text}
        thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
        forms = {"parts": [part], "texts": [text], "part": part, "thinking": [thought, part], "null": None}
        choice["message"] = {"role": "assistant", "content": forms.get(form, text)}
        text = "" if form == "null" else text
    if random.random() < 0.4:
        choice[random.choice(["token_ids", "logprobs", "stop_reason"])] = random.choice(JUNK)
    return Sent(choice, text if clean and form != "unreadable" else None)


def reply(random: Random) -> Reply:
    """Generate the number of requested samples, a server's reply, and the readable texts by index."""
    n = random.randint(1, 3)
    n_sent = random.choice([n, n, n, n, n - 1, n + 1])
    sent = [_choice(random, index) for index in range(n_sent)]
    body: dict[str, Any] = {"choices": [item.choice for item in sent]}
    if random.random() < 0.5:
        body["usage"] = random.choice([*JUNK, {"prompt_tokens": 3, "completion_tokens": 5}])
    if n == n_sent == 1 and random.random() < 0.5:
        body["choices"][0]["index"] = random.choice(JUNK)
    return n, body, {i: item.text for i, item in enumerate(sent) if item.text is not None}


def spoiled(random: Random) -> tuple[int, Any]:
    """Generate a reply with junk in one place."""
    n, body, _ = reply(random)
    return n, _spoil(random, body)


def labels(random: Random) -> tuple[Endpoint, Any]:
    """Generate a route, and a reply with the log-probabilities of labels, perhaps with junk in one place."""
    chat: dict[str, Any] = {"content": [{"token": "A", "top_logprobs": [{"token": "token_id:65", "logprob": -0.1}]}]}
    route: Endpoint = random.choice(["chat", "completions"])
    logprobs = chat if route == "chat" else {"top_logprobs": [{"token_id:65": -0.1}]}
    body = {"choices": [{"index": 0, "logprobs": logprobs}]}
    return route, _spoil(random, body) if random.random() < 0.9 else body


def _spoil(random: Random, body: Any) -> Any:
    container: Any = {"body": json.loads(json.dumps(body))}  # a copy without shared parts
    at: Any = container
    key: Any = "body"
    for _ in range(random.randint(0, 7)):
        inner = at[key]
        keys: list[Any] = list(inner) if isinstance(inner, dict) else []
        keys = list(range(len(inner))) if isinstance(inner, list) else keys
        if not keys:
            break
        at, key = inner, random.choice(keys)
    at[key] = random.choice(JUNK)
    return container["body"]


def event_format(random: Random) -> EventFormat:
    """Generate how a server writes events."""
    return EventFormat(
        before=random.choice(["", ": ping\n\n", "event: message\n", "id: 1\nretry: 9\n", "data:\n\n"]),
        data=random.choice(["data: ", "data:", "data:  ", ""]),
        after=random.choice(["\n\n", "\n", "\n\n\n"]),
        end=random.choice(["data: [DONE]\n\n", "data:[DONE]", "data: [DONE]\n"]),
        line_end=random.choice(["\n", "\r\n", "\r"]),
        ascii=random.random() < 0.5,
    )


def finish(random: Random) -> dict[str, Any]:
    """Generate metadata that says how a text ended, under none, one, or several keys."""
    keys = [key for key in KEYS if random.random() < 0.2]
    return {key: random.choice(CLEAN if random.random() < 0.7 else UNCLEAN) for key in keys}


def batches(make: Callable[[Random], Result]) -> st.SearchStrategy[list[Result]]:
    """Generate lists of `BATCH` cases from a seed. Drawing each part with hypothesis takes fifty times as long."""
    return st.integers(0, 2**64 - 1).map(lambda seed: [make(Random(seed + i)) for i in range(BATCH)])


def streamed(body: dict[str, Any], size: int) -> list[dict[str, Any]]:
    """Split a reply into chunks of `size` characters."""
    chunks: list[dict[str, Any]] = []
    for choice in body["choices"]:
        rest = {key: value for key, value in choice.items() if key not in ("message", "text", "finish_reason")}
        said = choice.get("message") if "message" in choice else choice["text"]
        if isinstance(said, str):
            parts: list[Any] = [{"text": said[i : i + size]} for i in range(0, len(said), size)]
        elif said is None or not isinstance(said.get("content"), str):
            parts = [{"delta": said}]
        else:
            content, others = said["content"], {key: value for key, value in said.items() if key != "content"}
            parts = [{"delta": {"content": content[i : i + size]}} for i in range(0, len(content), size)]
            parts = [{"delta": others}, *parts]
        end: dict[str, Any] = {"text": ""} if isinstance(said, str) else {"delta": None if said is None else {}}
        chunks += [{"choices": [{**rest, **part}]} for part in parts]
        chunks.append({"choices": [{**rest, **end, "finish_reason": choice["finish_reason"]}]})
    return [*chunks, {"choices": [], "usage": body.get("usage")}]


def written(chunks: list[dict[str, Any]], by: EventFormat) -> bytes:
    """Write the chunks as server-sent events."""
    lines = [json.dumps(chunk, ensure_ascii=by.ascii) for chunk in chunks]
    events = "".join(by.before + by.data + line + by.after for line in lines) + by.end
    return events.replace("\n", by.line_end).encode(errors="surrogatepass")


def cut(content: bytes, size: int) -> list[bytes]:
    """Split the bytes as a network may deliver them."""
    return [content[i : i + size] for i in range(0, len(content), size)]
