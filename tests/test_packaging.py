"""The installation is complete: every folder with code is listed, and its data is included."""

import re
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import egrm_graph
from egrm_graph.runtime.extras import EXTRAS

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_folder_with_code_is_a_listed_package() -> None:
    linked = [
        ROOT / "egrm_graph" / name / "__init__.py" for name in ("nodes", "prompts")
    ]  # rglob does not follow links
    folders = {path.parent for path in (*(ROOT / "egrm_graph").rglob("__init__.py"), *linked)}
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_relative_links_put_the_top_level_folders_into_the_package() -> None:
    for name in ("nodes", "prompts"):
        assert (ROOT / "egrm_graph" / name).readlink() == Path("..") / name


def test_each_extra_installs_its_modules() -> None:
    distributions = packages_distributions()
    for extra, modules in EXTRAS.items():
        requirements = PROJECT["project"]["optional-dependencies"][extra]
        named = {re.split(r"[\[>=]", requirement)[0] for requirement in requirements} - {"egrm-graph"}
        installed = {name.lower() for module in modules for name in distributions[module]}
        assert installed & named, extra
        assert named <= installed | {"numpy"}, extra


def test_all_version_numbers_agree() -> None:
    assert egrm_graph.__version__ == version("egrm-graph") == PROJECT["project"]["version"]


def test_the_wheel_contains_the_nodes_the_prompts_and_the_models(tmp_path: Path) -> None:
    import subprocess
    import sys
    import zipfile

    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "egrm_graph/benchmark/attacks/suite.toml",
        "egrm_graph/graph.py",
        "egrm_graph/nodes/answer_fast.py",
        "egrm_graph/prompts/tiny/answer_fast.md",
        "egrm_graph/prompts/default/expand_cot.md",
        "egrm_graph/models/egrm-tiny/model.safetensors",
        "egrm_graph/models/egrm-tiny-mixed-judge/model.safetensors",
        "egrm_graph/models/egrm-tiny-scorer/model.safetensors",
        "egrm_graph/models/egrm-tiny-scorer/egrm.json",
        "egrm_graph/models/held_out.jsonl",
        "egrm_graph/py.typed",
        "egrm_graph/replay/page.html.jinja",
        "egrm_graph/training/report.html.jinja",
        "egrm_graph/viewing/web/main.js",
        "egrm_graph/viewing/web/page.html.jinja",
        "egrm_graph/viewing/web/style.css",
    } <= names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"egrm_graph", f"egrm_graph-{egrm_graph.__version__}.dist-info"}
