"""The README's example is a file that runs, and its files are there."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from egrm_graph.parts import bundled
from egrm_graph.settings import BUNDLED_SCORER

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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["agent", "quickstart", "subgraph"])
def test_examples_run(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "examples" / f"{name}.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    expected = {
        "agent": "ordered: soup for table 4\nchosen by verdict among 3",
        "quickstart": "17+48 = 65  (direct, ok)",
        "subgraph": "total 49",
    }
    assert run.stdout.startswith(expected[name])


@pytest.mark.slow
def test_the_quickstart_shows_both_routes() -> None:
    quickstart = [sys.executable, str(ROOT / "examples" / "quickstart.py")]
    out = subprocess.run(quickstart, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"\((direct|reasoned), ok\)", out) == ["direct", "reasoned"]
    assert len(re.findall(r"score: 0\.\d+", out)) == 4


@pytest.mark.slow
def test_the_readmes_scorer_is_trained_and_used_as_pasted(tmp_path: Path) -> None:
    (block,) = re.findall(r"```sh\npip install '\.\[train\]'\n(.*?)```", README, re.DOTALL)
    train, ask = block.replace("\\\n", "").replace("my-scorer", str(tmp_path / "my-scorer")).strip().splitlines()
    told = json.loads(pasted(train))
    assert told["pairwise"] > 0.9
    assert told["calibration"] is not None
    weights = [load_file(folder / "model.safetensors") for folder in (bundled(BUNDLED_SCORER), tmp_path / "my-scorer")]
    assert not torch.equal(*(found["model.embed_tokens.weight"].float() for found in weights))
    assert pasted(ask).startswith("120\n")


def pasted(line: str) -> str:
    """What a command of the README prints, run at the top of the repository."""
    program, *arguments = shlex.split(line)
    assert program == "egrm"
    command = [sys.executable, "-m", "egrm_graph", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
