"""The JSON Schema of a record: `python -m egrm_graph.records.record_schema > docs/trace.schema.json`."""

from __future__ import annotations

import ast
import inspect
import json
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter

from egrm_graph import verification
from egrm_graph.records import record

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ADDED = {"Verification": ("best_guess",), "ModelCall": ("reply_form",)}
"""Fields that records of earlier versions lack."""


def schema() -> dict[str, Any]:
    """Build the schema. The fields' docstrings become descriptions, and unknown fields are allowed."""
    made = TypeAdapter(record.Record).json_schema()
    for name, part in (("Record", made), *made["$defs"].items()):
        for field, described in _docstrings(name).items():
            part["properties"][field]["description"] = described
        part["required"] = [field for field in part["required"] if field not in ADDED.get(name, ())]
    return {"$schema": DIALECT, **made}


def _docstrings(name: str) -> dict[str, str]:
    """The string below each field."""
    defined = getattr(record, name, None) or getattr(verification, name)
    [parsed] = ast.parse(inspect.getsource(defined)).body
    assert isinstance(parsed, ast.ClassDef)
    found = {}
    for field, after in pairwise(parsed.body):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            found[ast.unparse(field.target)] = " ".join(str(after.value.value).split())
    return found


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
