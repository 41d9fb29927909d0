"""A new column of `egrm trace list` is one change in one file, and stores of earlier versions show it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import egrm_graph

COLUMN = '    scorer: str | None = _column(lambda record: record["scorer"], "scorer")\n'
NEXT = "    bytes: int = _column("
OLD = Path(__file__).parents[1] / "replay" / "data"
ADD_RUN = """
import sys; from pathlib import Path; from egrm_graph.tracing import opening, store_reading
store = opening.open_store(Path(sys.argv[1]), None, None)
store.put({**store_reading.record_of(Path(sys.argv[1]), "latest"), "run_id": "new", "scorer": "mine"})
store.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["runs.db", "lines"])
def test_a_column_is_one_change_in_one_file(tmp_path: Path, name: str) -> None:
    package, store = Path(egrm_graph.__file__).parent, tmp_path / name
    shutil.copytree(package, tmp_path / "egrm_graph", ignore=shutil.ignore_patterns("models", "__pycache__"))
    file = tmp_path / "egrm_graph" / "tracing" / "run_summary.py"
    file.write_text(file.read_text().replace(NEXT, COLUMN + NEXT))
    (shutil.copytree if (OLD / name).is_dir() else shutil.copy)(OLD / name, store)

    def python(*arguments: object) -> str:
        command, environment = [sys.executable, *map(str, arguments)], {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.check_output(command, env=environment, text=True, cwd=tmp_path)

    listing = ("-m", "egrm_graph", "trace", "list", "--store", store, "--columns", "scorer")
    assert python(*listing, "--where", "scorer=egrm-tiny-scorer").split() == ["scorer", *["egrm-tiny-scorer"] * 8]
    python("-c", ADD_RUN, store)  # adds the column to the database
    assert python(*listing, "--where", "scorer=mine").split() == ["scorer", "mine"]
