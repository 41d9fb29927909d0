"""The README's example is a file that runs, and its files are there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_readmes_example_is_the_quickstart() -> None:
    (code,) = re.findall(r"## Use it\n\n```python\n(.*?)```", README, re.DOTALL)
    quickstart = (ROOT / "examples" / "quickstart.py").read_text()
    assert quickstart.partition('"""\n\n')[2] == code


def test_every_link_in_the_readme_leads_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert [target for target in targets if not target.startswith("http") and not (ROOT / target).exists()] == []


def test_every_top_folder_and_module_of_the_tree_is_there() -> None:
    tree = README.partition("## Where things are")[2].split("```")[1]
    top: list[str] = []
    inside: list[str] = []
    for line in tree.strip().splitlines():
        names = re.findall(r"([\w-]+(?:\.py|/))(?=\s)", line[:40] + " ")
        (inside if line.startswith("  ") else top).extend(names)
    assert [name for name in top if not (ROOT / name).exists()] == []
    assert [name for name in inside if not (ROOT / "egrm_graph" / name).exists()] == []
    assert len(top) >= 5
    assert len(inside) >= 12


@pytest.mark.parametrize("name", ["quickstart", "subgraph"])
def test_examples_run(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / f"{name}.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    expected = {"quickstart": "17+48 = 65  (direct, ok)", "subgraph": "total 49"}
    assert run.stdout.startswith(expected[name])


def test_the_quickstart_shows_both_routes() -> None:
    quickstart = [sys.executable, str(ROOT / "examples" / "quickstart.py")]
    out = subprocess.run(quickstart, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"\((direct|reasoned), ok\)", out) == ["direct", "reasoned"]
    assert len(re.findall(r"score: 0\.\d+", out)) == 4
