"""The site: links resolve, the generated reference is complete, and the commands on the pages exist."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

import egrm_graph
from egrm_graph.cli import app
from egrm_graph.settings import RunSettings, Settings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"])
GUIDES = [page for page in PAGES if page.name not in ("robustness.md", "CHANGELOG.md")]
"""The pages that tell a user what to run."""
CODE = re.compile(r"(?ms)^ *```.*?^ *```$|`[^`\n]*`")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def reference_pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_pages", DOCS / "reference_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub and MyST make them."""
    text = page.read_text()
    for name, generate in reference_pages().PAGES.items():
        text = text.replace(f"<!-- {name} -->", generate())
    headings = re.findall(r"(?m)^#{1,3} (.+)$", re.sub(r"(?ms)^ *```.*?^ *```$", "", text))
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


def links(page: Path) -> Iterator[tuple[str, str]]:
    """The file and the anchor of each link to this repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", page.read_text())):
        if not target.startswith(("http://", "https://")):
            file, _, anchor = target.partition("#")
            yield file, anchor


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_resolves(page: Path) -> None:
    broken = []
    for file, anchor in links(page):
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(f"{file}#{anchor}")
    assert broken == []


def test_every_setting_is_in_the_reference() -> None:
    page = reference_pages().settings_page()
    assert re.findall(r"(?m)^### `(\w+)`$", page) == list(Settings.model_fields)
    assert list(Settings.model_fields)[: len(RunSettings.model_fields)] == list(RunSettings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_has_its_type_default_variable_option_and_text(name: str) -> None:
    section = reference_pages().settings_page().partition(f"### `{name}`\n")[2].partition("\n### ")[0]
    field = Settings.model_fields[name]
    assert "Type: `" in section
    assert f"Default: `{reference_pages().default_text(field)}`" in section
    assert f"`EGRM_{name.upper()}`" in section
    assert name == "api_key" or f"`--{name.replace('_', '-')}`" in section
    assert field.description is not None
    assert " ".join(field.description.split()) in section
    assert "Limits: " in section or not any(hasattr(item, bound) for item in field.metadata for bound in ("ge", "gt"))


def test_every_public_name_is_in_the_api_reference() -> None:
    page = reference_pages().api_page()
    names = [name for name in egrm_graph.__all__ if not name.startswith("__")]
    assert [name for name in names if f"### `{name}`" not in page] == []


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, child in getattr(command, "commands", {}).items():
        if hasattr(child, "commands"):
            yield from commands(child, f"{path} {name}")
        else:
            yield f"{path} {name}", child


COMMANDS = dict(commands(typer.main.get_command(app), "egrm"))


def test_every_command_is_in_the_reference() -> None:
    page = reference_pages().cli_page()
    assert [path for path in COMMANDS if f" `{path}`\n" not in page] == []


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_of_a_command_is_in_the_reference(path: str) -> None:
    section = reference_pages().cli_page().partition(f" `{path}`\n")[2].partition("\n## ")[0]
    settings = Settings.model_fields if "an option for every [setting]" in section else ()
    own = [item for item in COMMANDS[path].params if item.name not in (*settings, "help", "help_all")]
    options = [option for item in own if item.param_type_name == "option" for option in item.opts]
    assert [option for option in options if f"`{option}`" not in section] == []


def typed(page: Path) -> Iterator[list[str]]:
    """The words of each `egrm` command on a page, blocks and prose."""
    text = page.read_text()
    blocks = "\n".join(re.findall(r"(?ms)^```sh\n(.*?)^```$", text)).replace("\\\n", "")
    prose = [span.replace("\n", " ") for span in re.findall(r"`(egrm [^`]+)`", re.sub(r"(?ms)^```.*?^```$", "", text))]
    for line in (*blocks.splitlines(), *prose):
        words = shlex.split(line.replace("...", ""), comments=True)
        while words and ("=" in words[0] or words[0] in ("export", "opentelemetry-instrument", "nohup")):
            words.pop(0)
        if words and words[0] == "egrm":
            yield words


@pytest.mark.parametrize("page", GUIDES, ids=named)
def test_every_command_on_a_page_exists(page: Path) -> None:
    unknown = []
    for words in typed(page):
        command: Any = typer.main.get_command(app)
        rest = words[1:]
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        options = {option for item in command.params for option in (*item.opts, *item.secondary_opts)}
        before = rest[: rest.index("--")] if "--" in rest else rest
        used = [word.partition("=")[0] for word in before if word.startswith("--")]
        stray = rest[:1] if hasattr(command, "commands") and rest[:1] and not rest[0].startswith("-") else []
        unknown += [f"{' '.join(words)}: {word}" for word in (*used, *stray) if word not in {*options, "--help"}]
    assert unknown == []
