"""Writes docs/robustness.md from the cases: `make robustness`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.robustness.kinds import Kind, read_kinds

PAGE = Path(__file__).parents[2] / "docs" / "robustness.md"
SHOWN_CHARACTERS = 160
INTRODUCTION = """# Robustness

What real models, servers, and frameworks send, and what the graph makes of it. Each row is a test case: the tests run
the input through the package and compare the outcome. `make robustness` writes this page from
`tests/robustness/cases/`; to report another case, add a line there.

The rule behind all of them: a failure never becomes a score, and nothing that was not read in full is `ok`. An outcome
of `null` means that there is no answer.
"""


def page(kinds: list[Kind]) -> str:
    """The page: a contents list, then a table for each kind."""
    contents = "\n".join(f"- {kind.title}: {len(kind.cases)} cases" for kind in kinds)
    return "\n".join([INTRODUCTION, contents, "", *(_section(kind) for kind in kinds)])


def _section(kind: Kind) -> str:
    rows = [f"| {_text(case.name)} | {_code(case.input)} | {_code(case.outcome)} |" for case in kind.cases]
    return "\n".join([f"## {kind.title}", "", kind.about, "", "| case | input | outcome |", "|---|---|---|", *rows, ""])


def _code(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)  # one line, whatever is in it
    text = text[1:-1].replace('\\"', '"').replace("\\\\", "\\") if isinstance(value, str) else text
    text = text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
    fence = "``" if "`" in text else "`"
    padding = " " if fence == "``" else ""
    return f"{fence}{padding}{_text(text)}{padding}{fence}" if text else "(empty)"


def _text(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(read_kinds()))
