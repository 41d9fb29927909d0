"""A new setting is one field in one file: it has an option, an environment variable, and a place in the reference."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import egrm_graph

FIELD = '    politeness: int = Field(default=3, ge=0)\n    """How polite the answers are."""\n'
NEXT = "    deadline_s: float | None = Field("
ROOT = Path(egrm_graph.__file__).parent.parent
REFERENCE = "import reference_pages; print(reference_pages.settings_page())"


def test_a_setting_is_one_field(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "egrm_graph", tmp_path / "egrm_graph", ignore=shutil.ignore_patterns("models", "__pycache__")
    )
    file = tmp_path / "egrm_graph" / "settings.py"
    file.write_text(file.read_text().replace(NEXT, FIELD + NEXT))

    def python(*arguments: object) -> str:
        paths = os.pathsep.join([str(tmp_path), str(ROOT / "docs")])
        environment = {**os.environ, "PYTHONPATH": paths, "COLUMNS": "200"}
        command = [sys.executable, *map(str, arguments)]
        return subprocess.check_output(command, env=environment, text=True, cwd=tmp_path)

    section = python("-c", REFERENCE).partition("### `politeness`")[2].partition("\n### ")[0]
    for text in ("How polite the answers are.", "`3`", "EGRM_POLITENESS", "--politeness"):
        assert text in section
    assert "--politeness" in python("-m", "egrm_graph", "ask", "--help-all")
