"""List the runs of a store from another version of the package, before and after another run is recorded."""

import json
import operator
import sqlite3
from contextlib import closing
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from egrm_graph.errors import InputError
from egrm_graph.tracing.filter import Filter
from egrm_graph.tracing.opening import open_store
from egrm_graph.tracing.store_reading import record_of, runs
from tests.cli.killed import context
from tests.tracing.records import STARTED, record, verification


def outcome(given: dict[str, Any]) -> Any:
    """Return the values of the listed columns for each run."""
    with TemporaryDirectory() as folder:
        store = _made(Path(folder), given)
        columns = given["shown"]
        try:
            before = _listed(store, columns, given)
            _record(store, *(f"new{i}" for i in range(given.get("writers", 1))))
            return {"read": before, "after a write": _listed(store, columns, given)}
        except InputError as error:
            return f"{type(error).__name__}: {error}".replace(folder, "FOLDER")


def _made(folder: Path, given: dict[str, Any]) -> Path:
    """Create a store with two runs, and change it to what another version writes."""
    store = folder / ("runs.db" if given["kind"] == "sqlite" else "runs")
    _put(store, "old0", correct=True)
    _put(store, "old1", correct=False)
    if given["kind"] == "lines":
        for file in store.iterdir():
            file.write_text("".join(_without(line, given["lacks"]) for line in file.read_text().splitlines()))
        return store
    with closing(sqlite3.connect(store)) as database:
        for statement in given["sql"]:
            database.execute(statement)
        database.commit()
    return store


def _without(line: str, lacks: list[str]) -> str:
    """Return the record without the fields. `a.b` is the field b in a."""
    found = json.loads(line)
    for name in lacks:
        *outer, last = name.split(".")
        within = found
        for each in outer:
            within = within[each]
        del within[last]
    return json.dumps(found) + "\n"


def _put(store: Path, run_id: str, *, correct: bool) -> None:
    writer = open_store(store, None, None)
    order = int(run_id[-1]) - (100 if run_id.startswith("old") else 0)
    writer.put(record(run_id=run_id, started_at=STARTED + order, verification=verification(correct=correct)))
    assert writer.flush()
    writer.close()


def _record(store: Path, *run_ids: str) -> None:
    """Record each run in its own process if there are several. All of them open the old store at the same time."""
    if len(run_ids) == 1:
        _put(store, run_ids[0], correct=True)
        return
    processes = [context.Process(target=_put, args=(store, name), kwargs={"correct": True}) for name in run_ids]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


def _listed(store: Path, columns: list[str], given: dict[str, Any]) -> Any:
    which = Filter(**given.get("filter", {}))
    listed: list[Any] = [[row.run_id, *(getattr(row, name) for name in columns)] for row in runs(store, which)]
    if "field" in given:
        found: Any = record_of(store, "old0")
        listed.append(reduce(operator.getitem, given["field"].split("."), found))
    return listed
