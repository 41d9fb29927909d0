"""Stores for tests, and the commands that read them."""

from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from egrm_graph.cli import app
from egrm_graph.records.record import Record
from egrm_graph.tracing.opening import open_store
from tests.tracing.records import STARTED, record


def trace(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(app, ["trace", *map(str, arguments)], env={"COLUMNS": "140", **environment})


def run(run_id: str, age_s: float = 0, **changes: Any) -> Record:
    return record(run_id=run_id, started_at=STARTED - age_s, **changes)


def stored(path: Path, *made: Record) -> Path:
    store = open_store(path, None, None)
    for item in made:
        store.put(item)
    assert store.flush()
    store.close()
    return path
