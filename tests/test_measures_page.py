"""docs/reference/measures.md describes every measure, and its Python runs."""

import re
from pathlib import Path
from typing import Any

from egrm_graph.uncertainty.measures import MEASURES, Requirement

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "reference" / "measures.md").read_text()
EVIDENCE: dict[str, tuple[Requirement, ...]] = {
    "": (),
    "chosen tokens": ("logprobs",),
    "top k": ("top_logprobs",),
    "labels": ("readings",),
    "orders": ("orders",),
}


def test_the_table_describes_every_measure() -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]
    described = {
        row[0].strip("`"): (EVIDENCE[row[2]], row[4], row[5].partition(",")[0].partition(":")[0]) for row in rows
    }
    on_questions = {row[0].strip("`"): row[5].partition("; on a question, ")[2] for row in rows}
    assert on_questions == {name: str(measure.for_questions or "") for name, measure in MEASURES.items()}
    assert described == {
        name: (
            measure.requires,
            "high" if measure.higher_is_certain else "low",
            "none" if abs(measure.threshold) == float("inf") else str(measure.threshold),
        )
        for name, measure in MEASURES.items()
    }


def test_the_snippet_runs() -> None:
    (own,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(own, names)
    assert names["graph"].invoke({"question": "2+3"})["verification"]["uncertainty"]["measure"] == "lead"
