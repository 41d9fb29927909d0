"""Rollouts as Parquet, with a column for each field, and the paths as a list of structs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from egrm_graph.errors import InputError
from egrm_graph.runtime.extras import require_extra


def require_pyarrow() -> None:
    """Check that Parquet can be read and written, before anything is drawn.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    require_extra("train", "Parquet", "pyarrow")


def read_parquet(file: Path) -> list[dict[str, Any]]:
    """Read the rows, without the fields that are null.

    Raises:
        InputError: the file cannot be read.
        MissingExtra: pyarrow is not installed.
    """
    require_pyarrow()
    from pyarrow import parquet

    try:
        rows: list[dict[str, Any]] = parquet.read_table(file).to_pylist()
    except (OSError, ValueError) as error:
        raise InputError(f"the rollouts in {file} cannot be read: {error}") from error
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def to_parquet(lines: Path, output: Path) -> None:
    """Convert a file of `egrm rollouts`, including the lines that could not be asked.

    If the ids have several types, they become texts, because a column has only one type.
    """
    require_pyarrow()
    import pyarrow
    from pyarrow import parquet

    rows = [json.loads(line) for line in lines.read_text("utf-8").split("\n") if line]
    ids = [row["id"] for row in rows]
    mixed = len({type(name) for name in ids}) > 1
    for row in rows:
        for found in row.get("paths", ()):
            found.setdefault("steps", [])  # it would be null, which the reader takes for no list
    step = pyarrow.struct(
        [
            ("end", pyarrow.int64()),
            ("value", pyarrow.float64()),
            ("share", pyarrow.float64()),
            ("any", pyarrow.bool_()),
            ("leaves", pyarrow.int64()),
        ]
    )
    path = pyarrow.struct(
        [
            ("text", pyarrow.string()),
            ("answer", pyarrow.string()),
            ("correct", pyarrow.bool_()),
            ("n_tokens", pyarrow.int64()),
            ("logprob", pyarrow.float64()),
            ("min_logprob", pyarrow.float64()),
            ("steps", pyarrow.list_(step)),
        ]
    )
    columns = {
        "question": pyarrow.string(),
        "reference": pyarrow.string(),
        "level": pyarrow.int64(),
        "paths": pyarrow.list_(path),
        "lost": pyarrow.int64(),
        "reasons": pyarrow.list_(pyarrow.string()),
        "requests": pyarrow.int64(),
        "completion_tokens": pyarrow.int64(),
        "line": pyarrow.int64(),
        "error": pyarrow.string(),
    }
    table = {"id": pyarrow.array(map(str, ids) if mixed else ids)}
    table |= {name: pyarrow.array([row.get(name) for row in rows], kind) for name, kind in columns.items()}
    partial = output.with_name(f"{output.name}.partial")
    parquet.write_table(pyarrow.table(table), partial)
    partial.replace(output)
