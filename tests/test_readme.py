"""The first pages a newcomer reads: their code runs, their drawing is the graph, and the README is short."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from canned_server import TOKENS, canned_server
from safetensors.torch import load_file

from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.graph import build_graph
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_SCORER, Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
DRAWING = ROOT / "docs" / "images" / "egrm.svg"
MOST_WORDS = 900
SERVER = "http://localhost:8000/v1"
SVG = "{http://www.w3.org/2000/svg}"


def test_the_readme_has_at_most_900_words() -> None:
    prose = re.sub(r"(?ms)^```.*?^```$", "", README)
    words = " ".join(line for line in prose.splitlines() if not line.startswith("|")).split()
    assert len(words) <= MOST_WORDS


def test_the_drawing_is_the_graph() -> None:
    drawing = ElementTree.parse(DRAWING).getroot()
    drawn = {
        tuple(path.attrib["data-edge"].split()) for path in drawing.iter(f"{SVG}path") if "data-edge" in path.attrib
    }
    graph = build_graph(Settings(task="arithmetic"), client=ScriptedClient(fast=[], paths=[]), scorer=None).get_graph()
    assert drawn == {(edge.source, edge.target) for edge in graph.edges}
    labels = {text.text for text in drawing.iter(f"{SVG}text")}
    assert {name for name in graph.nodes if not name.startswith("__")} <= labels


@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "docs/concepts.md"])
def test_the_first_pages_show_the_drawing(page: str) -> None:
    targets = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / page).read_text())
    assert DRAWING in [((ROOT / page).parent / target).resolve() for target in targets]


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_the_first_example_runs_against_an_openai_compatible_server(page: str) -> None:
    example = re.findall(r"(?s)```python\n(.*?)```", (ROOT / page).read_text())[0]
    assert SERVER in example
    assert len([line for line in example.splitlines() if line]) <= 6
    with canned_server(0.0) as url:
        assert printed_by(example.replace(SERVER, url)) == f"{''.join(TOKENS)} direct ok\n"


@pytest.mark.slow
@pytest.mark.parametrize("guide", ["judging", "early-stopping"])
def test_the_examples_of_a_guide_run(guide: str) -> None:
    examples = re.findall(r"(?s)```python\n(.*?)```", (ROOT / "docs" / "guides" / f"{guide}.md").read_text())
    assert examples
    with canned_server(0.0) as url:
        assert all(printed_by(example.replace(SERVER, url)) for example in examples)


@pytest.mark.slow
def test_the_example_without_a_server_runs() -> None:
    example = re.findall(r"(?s)```python\n(.*?)```", README)[1]
    assert printed_by(example) == "65\n"


@pytest.mark.slow
def test_the_example_of_a_judge_runs() -> None:
    example = re.findall(r"(?s)```python\n(.*?)```", README)[2]
    with canned_server(0.0) as url:
        assert printed_by(example.replace(SERVER, url)) == "None [None, None]\n"  # this server's reply is not a label


def test_the_figures_of_the_readme_are_those_of_the_results() -> None:
    _, _, *rows = [line for line in README.splitlines() if line.startswith("|")]
    results = (ROOT / "docs" / "real-models.md").read_text().splitlines()
    for row in rows:
        _, accuracy, tokens, reasoned = (cell.strip() for cell in row.split("|")[1:-1])
        figures = (f"| {accuracy} |", f"| {tokens} [", f"| {reasoned} |")
        assert any(all(figure in line for figure in figures) for line in results), row
    assert len(rows) == 4


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
    assert len(re.findall(r"score: 0\.\d+", out)) == 2  # the second path was enough
    page = (ROOT / "docs" / "quickstart.md").read_text()
    (output,) = re.findall(r"(?s)```text\n(17\+48.*?)```", page)
    exact = [line for line in output.splitlines() if "score" not in line and line != "  ..."]
    assert [line for line in exact if line not in out.splitlines()] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_page_about_scorers_trains_one_as_pasted(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "guides" / "train-scorer.md").read_text()
    (block,) = re.findall(r"(?s)```sh\npip install 'egrm-graph\[train\]'\n(.*?)```", page)
    train, ask = block.replace("\\\n", "").replace("my-scorer", str(tmp_path / "my-scorer")).strip().splitlines()
    figures = json.loads(pasted(train))
    assert figures["pairwise"] > 0.9
    assert figures["calibration"] is not None
    weights = [load_file(folder / "model.safetensors") for folder in (bundled(BUNDLED_SCORER), tmp_path / "my-scorer")]
    assert not torch.equal(*(found["model.embed_tokens.weight"].float() for found in weights))
    assert pasted(ask).startswith("120\n")


def pasted(line: str) -> str:
    """What a command prints, run at the top of the repository."""
    program, *arguments = shlex.split(line)
    assert program == "egrm"
    command = [sys.executable, "-m", "egrm_graph", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def printed_by(code: str) -> str:
    """What an example prints in its own process."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
