"""The trajectories of tau-bench as input of the graph. The file is not in this package. It is plain or gzipped."""

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
    input: Input
    """The input of the graph."""


def tau_bench(file: Path) -> Iterator[Step]:
    """Steps of an agent for the task `tool_calls`: the last tool call of each trajectory, or its last reply without
    any call, and those of the other trials of the same task. The messages before it are the conversation. The correct
    step is not known.

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
        raise InputError(f"{file} is not a list of trajectories: {type(error).__name__}: {error}") from error
    for i, trial in enumerate(trials):
        rivals = [j for j, task in enumerate(tasks) if task == tasks[i] and j != i]
        candidates = [trials[j]["traj"][last[j]] for j in (i, *rivals)]
        step_input: Input = {"messages": trial["traj"][: last[i]], "candidates": candidates}
        yield Step(f"{trial['task_id']}/{trial.get('trial', i)}", step_input)


def _last_step(messages: list[dict[str, Any]]) -> int:
    calls = [i for i, message in enumerate(messages) if message.get("tool_calls")]
    return (calls or [i for i, message in enumerate(messages) if message["role"] == "assistant"])[-1]


def _text(file: Path) -> str:
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        return data.decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
