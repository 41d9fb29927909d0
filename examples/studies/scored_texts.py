"""Texts to time the scorer on: held-out questions with paths that are drawn or computed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence

from egrm_graph.benchmark.held_out import held_out
from egrm_graph.parts import assemble
from egrm_graph.settings import Settings
from egrm_graph.training.roll_out import roll_out

Runs = Sequence[tuple[str, tuple[str, ...]]]
"""Questions with the paths of one run."""


async def drawn(n_runs: int, n_paths: int) -> Runs:
    """Paths drawn by the bundled model. The more certain it is, the more of them are equal."""
    parts = assemble(Settings(paths=n_paths), scorer=None)
    inputs = [{"question": question.text, "reference": question.reference} for question in held_out(n_runs)]
    rows = await asyncio.gather(*(roll_out(parts, one) for one in inputs))
    await parts.aclose()
    return [(row["question"], tuple(path["text"] for path in row["paths"])) for row in rows]


def all_different(n_runs: int, n_paths: int) -> Runs:
    """Paths as long as drawn ones, all different. After the last held-out question, they repeat with other slips."""
    questions = held_out(min(n_runs, 1000))
    turns = [divmod(i, len(questions)) for i in range(n_runs)]
    return [
        (questions[i].text, tuple(worked(questions[i].text, turn * n_paths + slip) for slip in range(n_paths)))
        for turn, i in turns
    ]


def worked(question: str, slip: int = 0) -> str:
    """The path to a sum, term by term and tens before units, with the first result off by `slip`."""
    first, *rest = _steps(question)
    total, steps = int(first), list[str]()
    for k, term in enumerate(rest):
        result = total + int(term) + (slip if k == 0 else 0)
        steps.append(f"{total}{term}={result}")
        total = result
    return f"{';'.join(steps)};#{total}"


def _steps(question: str) -> Iterator[str]:
    first, *terms = re.findall(r"[+-]?\d+", question)
    yield first
    for term in terms:
        sign, number = term[0], int(term[1:])
        parts = [part for part in (number - number % 10, number % 10) if part]
        yield from (f"{sign}{part}" for part in parts or [0])
