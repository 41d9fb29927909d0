"""Write docs/robustness.md from the cases: `make robustness`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.robustness.kinds import Kind, read_kinds

PAGE = Path(__file__).parents[2] / "docs" / "robustness.md"
MAX_CHARACTERS = 160
INTRODUCTION = """# Robustness

This page lists unusual inputs from real models, servers, and frameworks, and how the graph handles them. Each row is a
test case: the tests run the input through the package and compare the outcome. `make robustness` writes this page from
`tests/robustness/cases/`. To report another case, add a line there.

Two rules hold for all cases: a failure never becomes a score, and a result is `ok` only if everything was read in full.
An outcome of `null` means that there is no answer.
"""


def page(kinds: list[Kind]) -> str:
    """Return the page: a list of contents, then a table per kind."""
    contents = "\n".join(f"- {kind.title}: {len(kind.cases)} cases" for kind in kinds)
    return "\n".join([INTRODUCTION, contents, "", *(_section(kind) for kind in kinds)])


def _section(kind: Kind) -> str:
    rows = [f"| {_text(case.name)} | {_code(case.input)} | {_code(case.outcome)} |" for case in kind.cases]
    return "\n".join([f"## {kind.title}", "", kind.about, "", "| case | input | outcome |", "|---|---|---|", *rows, ""])


def _code(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)  # always a single line
    text = text[1:-1].replace('\\"', '"').replace("\\\\", "\\") if isinstance(value, str) else text
    text = text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"
    fence = "``" if "`" in text else "`"
    padding = " " if fence == "``" else ""
    return f"{fence}{padding}{_text(text)}{padding}{fence}" if text else "(empty)"


def _text(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(read_kinds()))
