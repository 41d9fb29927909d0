"""Find the differences between two runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from egrm_graph.records.record import Record
from egrm_graph.terminal.judgment_text import has_parts, summary_of
from egrm_graph.tracing.run_summary import completion_tokens
from egrm_graph.verification import Path, Verification

NOTHING = "none"
EXCERPT_CHARACTERS = 100
"""The length of the excerpt of a long text, which starts a little before the first difference."""
CONTEXT_CHARACTERS = 30


@dataclass(frozen=True)
class Difference:
    """One difference and its value in both runs. Long texts may be excerpts that start near the first difference."""

    what: str
    first: str
    second: str


def differences(first: Record, second: Record, max_characters: int | None = EXCERPT_CHARACTERS) -> list[Difference]:
    """List the differences in the order of a run: settings, prompts, votes, route, answer, paths, cost.

    Texts of more than `max_characters` are reduced to excerpts. None keeps them complete.
    """
    ours, theirs = dict(_facts(first)), dict(_facts(second))
    found = []
    for what in _merged(list(ours), list(theirs)):
        one, other = ours.get(what, NOTHING), theirs.get(what, NOTHING)
        if one != other:
            start = max(0, _first_difference(one, other) - CONTEXT_CHARACTERS)
            sides = (
                [one, other]
                if max_characters is None
                else [_excerpt(text, start, max_characters) for text in (one, other)]
            )
            found.append(Difference(what, *sides))
    return found


def _merged(ours: list[str], theirs: list[str]) -> list[str]:
    """The names of both. A name that only the second has follows the same name as there."""
    names = list(ours)
    for before, name in pairwise(theirs):  # both have the first name
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


def _of_verdict(verification: Verification) -> Iterator[tuple[str, str]]:
    gate = verification["uncertainty"]
    yield "votes", ", ".join(f"{vote['answer']}: {vote['count']:g}" for vote in gate["votes"]) or NOTHING
    yield "fast answers", _text(gate["samples"])
    for name in ("measure", "value", "threshold"):
        yield name, _text(gate[name])
    for name in ("route", "answer", "best_guess", "winner", "confidence", "correct"):
        yield name.replace("_", " "), _text(verification.get(name))
    for i, path in enumerate(verification["paths"], start=1):
        yield f"path {i}", _path(path)
        if (branch := path.get("branch")) is not None and branch["parent"] is not None:
            yield f"path {i}, branch", f"from path {branch['parent'] + 1} at token {branch['at'] + 1}"
        if (judgment := path.get("judgment")) is not None and has_parts(judgment):
            yield f"path {i}, judgment", summary_of(judgment)
        yield f"path {i}, text", _text(path["text"])
    best = verification["best_path"]
    yield "deciding path", NOTHING if best is None else str(best + 1)
    yield "reasons", "; ".join(verification["reasons"]) or NOTHING


def _of_cost(record: Record) -> Iterator[tuple[str, str]]:
    verification = record["verification"]
    yield "requests", str(len(record["calls"]) if verification is None else verification["usage"]["requests"])
    yield "retries", str(sum(len(call["retries"]) for call in record["calls"]))
    yield "prompt tokens", NOTHING if verification is None else str(verification["usage"]["prompt_tokens"])
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
    """The index of the first difference, found by bisection."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _excerpt(text: str, start: int, length: int) -> str:
    if len(text) <= length:
        return text
    part = text[start : start + length]
    return f"{'…' if start else ''}{part}{'…' if start + length < len(text) else ''}"
