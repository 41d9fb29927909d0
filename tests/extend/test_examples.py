"""Every example of an extension runs offline, is short, and is on the page about extending."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "extend"
EXAMPLES = sorted(FOLDER.glob("*.py"))
MOST_LINES = 40
KINDS = {
    "client": "openai_client.py",
    "measure": "measure.py",
    "path strategy": "path_strategy.py",
    "scorer": "scorer_function.py",
    "selection rule": "selection_rule.py",
    "stopping rule": "stopping_rule.py",
    "task": "judging_task.py",
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_part_has_an_example(kind: str) -> None:
    assert (FOLDER / KINDS[kind]).is_file()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short(example: Path) -> None:
    assert len(example.read_text().splitlines()) <= MOST_LINES


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_without_a_warning(example: Path) -> None:
    command = [sys.executable, "-W", "error", str(example)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip()


def test_the_page_shows_every_example() -> None:
    page = (ROOT / "docs" / "guides" / "extend.md").read_text()
    included = re.findall(r"\{literalinclude\} \.\./\.\./examples/extend/(\S+)", page)
    assert sorted(included) == sorted(KINDS.values())
    assert {example.name for example in EXAMPLES} <= set(included)
