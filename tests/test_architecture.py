"""Imports point one way, and importing the package loads nothing heavy."""

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import egrm_graph

ROOT = Path(egrm_graph.__file__).parent
PAGE = (ROOT.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
_TABLE = PAGE[PAGE.index("## Packages") : PAGE.index("## Extension points")]
PACKAGES = re.findall(r"^\| `(\w+)` \|", _TABLE, re.MULTILINE)
"""In the order of the page. Each may import from those before it."""
NODES = ROOT.parent / "nodes"
"""Installs as `egrm_graph.nodes`."""
FILES = sorted([*(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"), *NODES.glob("*.py")])
BELOW_THE_GRAPH = PACKAGES[: PACKAGES.index("context")]


def package_of(module: str) -> str:
    return module.split(".")[1]


def imported(path: Path) -> list[str]:
    """The modules that a file imports, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += names if node.module == "egrm_graph" else [node.module]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


def module_of(path: Path) -> str:
    folder = NODES.parent if path.parent == NODES else ROOT
    return ".".join(("egrm_graph", *path.relative_to(folder).with_suffix("").parts))


def defined_types(path: Path) -> list[str]:
    """The public classes and type aliases of a file."""
    names = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names.append(node.targets[0].id)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
    return [name for name in names if re.fullmatch(r"[A-Z]\w*[a-z]\w*", name) and "_" not in name]


def test_the_page_lists_every_package_once() -> None:
    there = {module_of(path).split(".")[1] for path in FILES} - {"prompts"}
    assert sorted(PACKAGES) == sorted(there)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_follow_the_page(path: Path) -> None:
    own = package_of(module_of(path))
    if own == "prompts":
        return
    allowed = PACKAGES[: PACKAGES.index(own) + 1]
    ours = [name for name in imported(path) if name.startswith("egrm_graph.") and name != "egrm_graph.__version__"]
    assert [name for name in ours if package_of(name) not in allowed] == []


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_only_the_graph_knows_langgraph(path: Path) -> None:
    own = package_of(module_of(path))
    if own in BELOW_THE_GRAPH and own != "state":
        assert [name for name in imported(path) if name.split(".")[0] == "langgraph"] == []


def test_no_file_name_occurs_twice() -> None:
    names = Counter(path.name for path in FILES if path.name != "__init__.py")
    assert [name for name, count in names.items() if count > 1] == []


def test_no_two_public_types_share_a_name() -> None:
    names = Counter(name for path in FILES for name in defined_types(path))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("statement", ["import egrm_graph", "from egrm_graph import Settings", "import egrm_graph.cli"])
def test_importing_loads_nothing_heavy(statement: str) -> None:
    heavy = "{'torch', 'transformers', 'vllm', 'langgraph', 'langchain', 'math_verify', 'matplotlib'}"
    code = f"{statement}; import sys; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_package_root_lists_its_api() -> None:
    for name in egrm_graph.__all__:
        assert getattr(egrm_graph, name) is not None
