"""Trouble that real models, servers, and frameworks send: one data file per kind, one line per case.

`cases/KIND.jsonl` starts with a header, `{"title": ..., "about": ...}`. Every line after it is a case: `name` says what
is special about it, `input` is what arrives, and `outcome` is what this package makes of it. `probes/KIND.py` has
`outcome(given)`, a function or a coroutine function that runs the real code on one input. So a new report is one more
line, and a new kind is two more files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """One input and what comes of it."""

    name: str
    input: Any
    outcome: Any


@dataclass(frozen=True)
class Kind:
    """The cases that one probe runs."""

    name: str
    title: str
    about: str
    cases: tuple[Case, ...]


def read_kinds() -> list[Kind]:
    """All kinds, by file name."""
    return [_kind(path) for path in sorted(FOLDER.glob("*.jsonl"))]


def _kind(path: Path) -> Kind:
    header, *lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return Kind(path.stem, header["title"], header["about"], tuple(Case(**line) for line in lines))
