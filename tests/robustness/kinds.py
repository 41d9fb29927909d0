"""Read the robustness cases: unusual inputs from real models, servers, and frameworks.

`cases/KIND.jsonl` starts with a header, `{"title": ..., "about": ...}`. Every other line is a case. `name` says what is
special about it, `input` is what arrives, and `outcome` is the result. `probes/KIND.py` has `outcome(given)`, a
function or coroutine function that runs the real code on one input. To add a case, add a line. To add a kind, add two
files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """One input and its outcome."""

    name: str
    input: Any
    outcome: Any


@dataclass(frozen=True)
class Kind:
    """The cases of one probe."""

    name: str
    title: str
    about: str
    cases: tuple[Case, ...]


def read_kinds() -> list[Kind]:
    """Read all kinds, in the order of their file names."""
    return [_kind(path) for path in sorted(FOLDER.glob("*.jsonl"))]


def _kind(path: Path) -> Kind:
    header, *lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    return Kind(path.stem, header["title"], header["about"], tuple(Case(**line) for line in lines))
