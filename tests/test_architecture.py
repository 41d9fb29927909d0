"""Imports point one way, and importing the package loads nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import egrm_graph

ROOT = Path(egrm_graph.__file__).parent
# Each room may import from its own and from those below it.
ROOMS = (
    {"cli", "benchmark", "replay", "viewing", "training", "integrations", "served", "__main__"},
    {"graph"},
    {"nodes"},
    {"context"},
    {"parts"},
    {"tracing"},
    {"tasks", "clients", "uncertainty", "reasoning", "scoring"},
    {
        "state",
        "settings",
        "errors",
        "verification",
        "background",
        "conformance",
        "forking",
        "quiet",
        "prompts",
        "values",
    },
)
FILES = sorted(path for path in ROOT.rglob("*.py") if path.name != "__init__.py" or path.parent != ROOT)


def room_of(module: str) -> int:
    name = module.split(".")[1]
    (rank,) = [i for i, room in enumerate(ROOMS) if name in room]
    return rank


def imported(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


def module_of(path: Path) -> str:
    return ".".join(("egrm_graph", *path.relative_to(ROOT).with_suffix("").parts))


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_point_down(path: Path) -> None:
    own = room_of(module_of(path))
    upward = [name for name in imported(path) if name.startswith("egrm_graph.") and room_of(name) < own]
    assert upward == []


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_the_work_below_the_nodes_knows_nothing_of_langgraph(path: Path) -> None:
    if room_of(module_of(path)) >= room_of("egrm_graph.tasks") and module_of(path) != "egrm_graph.state":
        assert [name for name in imported(path) if name.split(".")[0] == "langgraph"] == []


@pytest.mark.parametrize("statement", ["import egrm_graph", "from egrm_graph import Settings", "import egrm_graph.cli"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    heavy = "{'torch', 'transformers', 'vllm', 'langgraph', 'langchain', 'math_verify', 'matplotlib'}"
    code = f"{statement}; import sys; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_package_root_lists_its_api() -> None:
    for name in egrm_graph.__all__:
        assert getattr(egrm_graph, name) is not None
