"""tau-bench's trajectories as the graph's input. The file is not part of this package; it is read plain or gzipped."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from egrm_graph.errors import InputError
from egrm_graph.state import Input


@dataclass(frozen=True)
class Step:
    """A step of an agent to judge."""

    id: str
    given: Input
    """The graph's input."""


def tau_bench(file: Path) -> Iterator[Step]:
    """Steps of an agent for the task `tool_calls`: each trajectory's last tool call (or, where it has none, its last
    reply), after all that came before it, beside those of the other trials of the same task. Nobody said which is
    right.

    Source: Yao et al. 2024, arXiv:2406.12045.

    Raises:
        InputError: the file is not a list of trajectories.
    """
    try:
        trials: list[dict[str, Any]] = json.loads(_text(file))
        if not isinstance(trials, list):
            raise TypeError(f"it holds {type(trials).__name__}")
        last = [_last_step(trial["traj"]) for trial in trials]
        tasks = [trial["task_id"] for trial in trials]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{file} is no list of trajectories: {type(error).__name__}: {error}") from error
    for i, trial in enumerate(trials):
        rivals = [j for j, task in enumerate(tasks) if task == tasks[i] and j != i]
        candidates = [trials[j]["traj"][last[j]] for j in (i, *rivals)]
        given: Input = {"messages": trial["traj"][: last[i]], "candidates": candidates}
        yield Step(f"{trial['task_id']}/{trial.get('trial', i)}", given)


def _last_step(messages: list[dict[str, Any]]) -> int:
    calls = [i for i, message in enumerate(messages) if message.get("tool_calls")]
    return (calls or [i for i, message in enumerate(messages) if message["role"] == "assistant"])[-1]


def _text(file: Path) -> str:
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        return data.decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
