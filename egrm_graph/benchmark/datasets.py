"""Published judging data in the form that the graph takes: LLMBar's pairs, tau-bench's trajectories.

The files are not part of this package; both are read plain or gzipped.
"""

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
class Item:
    """Something to judge, and the winner's index where people said which it is."""

    id: str
    given: Input
    """The graph's input."""
    winner: int | None


def llmbar(file: Path) -> Iterator[Item]:
    """Pairs for the task `pairwise`, from JSON lines with `input`, `output_1`, `output_2` and `label` (1 or 2).

    Source: Zeng et al. 2024, arXiv:2310.07641.

    Raises:
        InputError: a line is not of this form; the message has its number.
    """
    for number, line in enumerate(_text(file).splitlines(), start=1):
        try:
            row = json.loads(line)
            given: Input = {"question": row["input"], "candidates": [row["output_1"], row["output_2"]]}
            yield Item(str(row.get("id", number)), given, (1, 2).index(row["label"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{file}, line {number} is no LLMBar pair: {type(error).__name__}: {error}") from error


def tau_bench(file: Path) -> Iterator[Item]:
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
        yield Item(f"{trial['task_id']}/{trial.get('trial', i)}", given, None)


def _last_step(messages: list[dict[str, Any]]) -> int:
    calls = [i for i, message in enumerate(messages) if message.get("tool_calls")]
    return (calls or [i for i, message in enumerate(messages) if message["role"] == "assistant"])[-1]


def _text(file: Path) -> str:
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        return data.decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error
