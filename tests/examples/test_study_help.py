"""Every study is a script with `--help`."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

STUDIES = Path(__file__).parents[2] / "examples" / "studies"
SCRIPTS = sorted(file.name for file in STUDIES.glob("*.py") if '__name__ == "__main__"' in file.read_text())


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_study_prints_its_help(name: str) -> None:
    done = subprocess.run(
        [sys.executable, str(STUDIES / name), "--help"], capture_output=True, text=True, check=False, cwd="/"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {name}")


def test_the_studies_are_found() -> None:
    assert {"canned_server.py", "judge_table.py", "fast_replies.py"} <= set(SCRIPTS)
