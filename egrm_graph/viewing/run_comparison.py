"""What two runs differ in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from egrm_graph.records.record import Record
from egrm_graph.tracing.run_summary import completion_tokens
from egrm_graph.verification import Path, Verification

NOTHING = "none"
SHOWN = 100
"""Characters of a long text that are told, from a little before the first that differs."""
BEFORE = 30


@dataclass(frozen=True)
class Difference:
    """One thing, as it is in each of the runs. A long text may be kept only from where the two begin to differ."""

    what: str
    first: str
    second: str


def differences(first: Record, second: Record, shown: int | None = SHOWN) -> list[Difference]:
    """In the order in which things come about: settings, prompts, votes, route, answer, paths, cost.

    Of a text of more than `shown` characters so many are kept; None keeps all.
    """
    ours, theirs = dict(_facts(first)), dict(_facts(second))
    found = []
    for what in _merged(list(ours), list(theirs)):
        one, other = ours.get(what, NOTHING), theirs.get(what, NOTHING)
        if one != other:
            start = max(0, _first_difference(one, other) - BEFORE)
            sides = (one, other) if shown is None else (_from(one, start, shown), _from(other, start, shown))
            found.append(Difference(what, *sides))
    return found


def _merged(ours: list[str], theirs: list[str]) -> list[str]:
    """All of them; what only the second has stands behind what it stands behind there."""
    names = list(ours)
    for before, name in pairwise(theirs):  # the first is in both
        if name not in ours:
            names.insert(names.index(before) + 1, name)
    return names


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    for name in ("engine", "model", "task", "scorer", "server_version", "package", "level"):
        yield name.replace("_", " "), _text(record[name])
    for name, value in record["settings"].items():
        yield f"setting {name}", f"{_text(value)} ({record['sources'].get(name, 'default')})"
    yield "question", NOTHING if record["asked"] is None else record["asked"]["question"]
    for node, prompt in _prompts(record).items():
        yield f"prompt of {node}", prompt
    if record["verification"] is not None:
        yield from _of_verdict(record["verification"])
    yield "margin", _text(record["margin"])
    yield "ending", record["ending"]
    yield "error", _text(record["error"])
    yield from _of_cost(record)


def _of_verdict(told: Verification) -> Iterator[tuple[str, str]]:
    gate = told["uncertainty"]
    yield "votes", ", ".join(f"{vote['answer']}: {vote['count']:g}" for vote in gate["votes"]) or NOTHING
    yield "fast answers", _text(gate["samples"])
    for name in ("measure", "value", "threshold"):
        yield name, _text(gate[name])
    for name in ("route", "answer", "best_guess", "winner", "confidence", "correct"):
        yield name.replace("_", " "), _text(told.get(name))
    for i, path in enumerate(told["paths"], start=1):
        yield f"path {i}", _path(path)
        yield f"path {i}, text", _text(path["text"])
    best = told["best_path"]
    yield "deciding path", NOTHING if best is None else str(best + 1)
    yield "reasons", "; ".join(told["reasons"]) or NOTHING


def _of_cost(record: Record) -> Iterator[tuple[str, str]]:
    told = record["verification"]
    yield "requests", str(len(record["calls"]) if told is None else told["usage"]["requests"])
    yield "retries", str(sum(len(call["retries"]) for call in record["calls"]))
    yield "prompt tokens", NOTHING if told is None else str(told["usage"]["prompt_tokens"])
    yield "completion tokens", str(completion_tokens(record))
    yield "ms", f"{record['ms']:.0f}"


def _prompts(record: Record) -> dict[str, str]:
    """The first prompt of each node."""
    found: dict[str, str] = {}
    for call in record["calls"]:
        if call["prompt"] is not None and call["node"] not in found:
            messages = record["prompts"][call["prompt"]]
            found[call["node"]] = "\n".join(f"{message['role']}: {message['content']}" for message in messages)
    return found


def _path(path: Path) -> str:
    score = "no score" if path["score"] is None else f"score {path['score']:.3f}"
    return f"{_text(path['answer'])}, {score}, {_text(path['n_tokens'])} tokens"


def _text(value: Any) -> str:
    return NOTHING if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _first_difference(one: str, other: str) -> int:
    """Where two texts begin to differ, without looking at each character of long ones."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _from(text: str, start: int, shown: int) -> str:
    if len(text) <= shown:
        return text
    part = text[start : start + shown]
    return f"{'…' if start else ''}{part}{'…' if start + shown < len(text) else ''}"
