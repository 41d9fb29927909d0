"""Fills in the reference pages from the package itself.

A page under docs/reference/ contains a line such as `<!-- settings -->`. When Sphinx reads the page, the line is
replaced by Markdown made from the pydantic fields, the public names, or the commands.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import typer.main
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import egrm_graph
from egrm_graph.settings import RunSettings, Settings

OTHER_NAMES: Mapping[str, Sequence[str]] = {
    "Parts of a verification": [
        "egrm_graph.verification.Uncertainty",
        "egrm_graph.verification.Vote",
        "egrm_graph.verification.Sample",
        "egrm_graph.verification.Reading",
        "egrm_graph.verification.Path",
        "egrm_graph.verification.PathStep",
        "egrm_graph.verification.Usage",
    ],
    "Tasks": [
        "egrm_graph.tasks.task.Task",
        "egrm_graph.tasks.QuestionTask",
        "egrm_graph.tasks.Judging",
        "egrm_graph.deciding.findings.Findings",
        "egrm_graph.deciding.decision.Decision",
        "egrm_graph.verification.Subject",
        "egrm_graph.verification.View",
    ],
    "Path strategies": [
        "egrm_graph.strategies.strategy.PathStrategy",
        "egrm_graph.strategies.strategy.Known",
        "egrm_graph.strategies.strategy.Round",
        "egrm_graph.strategies.strategy.PathCall",
        "egrm_graph.strategies.strategy.PathInView",
    ],
    "Measures": [
        "egrm_graph.uncertainty.measures.Measure",
        "egrm_graph.uncertainty.evidence.Evidence",
        "egrm_graph.uncertainty.votes.Votes",
    ],
    "Stopping rules": ["egrm_graph.uncertainty.stopping.Standing"],
    "Scorers": [
        "egrm_graph.scoring.scorer.Scorer",
        "egrm_graph.scoring.scorer.StepScorer",
        "egrm_graph.scoring.scorer.Unscored",
    ],
    "Clients": [
        "egrm_graph.clients.client.Client",
        "egrm_graph.clients.client.Sampling",
        "egrm_graph.clients.client.Completion",
        "egrm_graph.clients.client.Completions",
        "egrm_graph.clients.client.LabelLogprobs",
        "egrm_graph.clients.client.Meter",
        "egrm_graph.clients.client.ContinuesPrompt",
        "egrm_graph.clients.client.TakesOptions",
        "egrm_graph.clients.client.ShapesReplies",
        "egrm_graph.clients.chat_model.ChatModelClient",
        "egrm_graph.clients.saved_draws.SavedDraws",
        "egrm_graph.clients.scripted.ScriptedClient",
    ],
    "Trace stores": ["egrm_graph.tracing.store.Store"],
    "Integrations": [
        "egrm_graph.integrations.agent_middleware.BestOfN",
        "egrm_graph.integrations.tool.as_tool",
        "egrm_graph.integrations.evaluator.as_evaluator",
        "egrm_graph.integrations.evaluator.as_async_evaluator",
        "egrm_graph.integrations.evaluator.as_comparative_evaluator",
        "egrm_graph.integrations.trl_reward.as_trl_reward",
        "egrm_graph.integrations.trl_reward.as_async_trl_reward",
        "egrm_graph.integrations.verl_reward.as_verl_reward",
        "egrm_graph.integrations.verl_reward.as_async_verl_reward",
    ],
}
"""What a user reads, implements, or calls in addition to the names of the package root."""

DRAWING = "![The graph](images/egrm.svg)"

WITHOUT_OPTION = ("api_key",)
"""A command line is visible to everyone on the machine, so a secret has only its variable."""


def settings_page() -> str:
    """Every setting, with its type, default, limits, environment variable, and option."""
    run = "\n".join(_setting(name, field) for name, field in RunSettings.model_fields.items())
    rest = {name: field for name, field in Settings.model_fields.items() if name not in RunSettings.model_fields}
    build = "\n".join(_setting(name, field) for name, field in rest.items())
    return (
        "## Settings a run can override\n\n"
        "These are the fields of `RunSettings`. Pass them to `Settings` when you build the graph, or override them for "
        "one run with\n`graph.invoke(..., context=RunSettings(...))`.\n\n"
        f"{run}\n"
        "## Settings fixed when the graph is built\n\n"
        "These are the other fields of `Settings`. They choose the model, the scorer, and where records go.\n\n"
        f"{build}"
    )


def _setting(name: str, field: FieldInfo) -> str:
    facts = {
        "Type": f"`{_type_text(field.annotation)}`",
        "Default": f"`{default_text(field)}`",
        "Limits": _limits(field),
        "Environment": f"`EGRM_{name.upper()}`",
        "Option": "" if name in WITHOUT_OPTION else f"`--{name.replace('_', '-')}`",
    }
    listed = " · ".join(f"{what}: {text}" for what, text in facts.items() if text)
    description = " ".join((field.description or "").split())
    return f"### `{name}`\n\n{listed}\n\n{description}\n"


def default_text(field: FieldInfo) -> str:
    """The default as Python; a path as text."""
    return repr(str(field.default) if isinstance(field.default, PurePath) else field.default)


def _type_text(annotation: Any) -> str:
    text = inspect.formatannotation(annotation)
    text = re.sub(r"\b(?:typing|pathlib|pydantic\.types)\.", "", text)
    return text.replace("_local.Path", "Path")


def _limits(field: FieldInfo) -> str:
    bounds = {Ge: "at least", Gt: "above", Le: "at most", Lt: "below"}
    found = []
    for item in field.metadata:
        for kind, words in bounds.items():
            if isinstance(item, kind):
                found.append(f"{words} {getattr(item, kind.__name__.lower())}")
    return ", ".join(found)


def api_page() -> str:
    """The names of the package root and the extension points, for autodoc."""
    root = [f"egrm_graph.{name}" for name in egrm_graph.__all__ if not name.startswith("__")]
    sections = {"The package root": root, **OTHER_NAMES}
    documented: set[int] = set()
    lines = []
    for title, names in sections.items():
        new = [name for name in names if id(_found(name)) not in documented]
        documented |= {id(_found(name)) for name in new}
        if new:
            lines += [f"## {title}\n", *(_autodoc(name) for name in new)]
    lines += ["## Errors\n", _directive("automodule", "egrm_graph.errors", "members", "show-inheritance")]
    return "\n".join(lines)


def _found(dotted: str) -> Any:
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


def _autodoc(dotted: str) -> str:
    found, name = _found(dotted), dotted.rpartition(".")[2]
    heading = f"### `{name}`\n\n"
    if not inspect.isclass(found):
        kind = "autofunction" if inspect.isroutine(found) else "autodata"
        return heading + _directive(kind, dotted)
    if issubclass(found, BaseModel):  # its fields are on the settings page
        directive = _directive("autoclass", f"{dotted}()")
        return f"{heading}{directive}\nIts fields are listed under [settings](settings.md).\n"
    if issubclass(found, Exception):
        return f"{heading}{inspect.getdoc(found)} The full tree is under [errors](#errors).\n"
    has_fields = dataclasses.is_dataclass(found) or typing.is_typeddict(found)
    return heading + _directive("autoclass", dotted, "members", *(["undoc-members"] if has_fields else []))


def _directive(kind: str, argument: str, *options: str) -> str:
    listed = "".join(f"   :{option}:\n" for option in options)
    return f"```{{eval-rst}}\n.. {kind}:: {argument}\n{listed}```\n"


def cli_page() -> str:
    """Every command with its own options; the options that are settings are named once, by link."""
    from egrm_graph.cli import app

    return "\n".join(_commands(typer.main.get_command(app), "egrm"))


def _commands(command: Any, path: str) -> Iterator[str]:
    """The sections of a command; Typer has its own copy of Click, so nothing here can be typed by Click's classes."""
    subcommands = getattr(command, "commands", None)
    if subcommands is None:
        yield _command(command, path)
        return
    for name, child in subcommands.items():
        yield from _commands(child, f"{path} {name}")


def _command(command: Any, path: str) -> str:
    listed = [parameter for parameter in command.params if parameter.name not in ("help", "help_all")]
    settings = [parameter for parameter in listed if parameter.name in Settings.model_fields]
    # A command such as `egrm replay` has its own --measure, but not an option for every setting.
    takes_settings = len(settings) > len(RunSettings.model_fields) // 2
    own = [parameter for parameter in listed if not takes_settings or parameter not in settings]
    usage = " ".join([path, *(_metavar(parameter) for parameter in own if _is_argument(parameter)), "[OPTIONS]"])
    parts = [f"## `{path}`\n", f"{_help_text(command.help)}\n", f"```text\n{usage}\n```\n"]
    if own:
        rows = [f"| {_usage(parameter)} | {_cell(getattr(parameter, 'help', None) or '')} |" for parameter in own]
        parts.append("\n".join(["| option | |", "|---|---|", *rows, ""]))
    if takes_settings:
        parts.append("It also takes an option for every [setting](settings.md).\n")
    return "\n".join(parts)


def _usage(parameter: Any) -> str:
    metavar = _metavar(parameter).replace("|", "\\|")
    if _is_argument(parameter):
        return f"`{metavar}`"
    flags = ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
    return flags if parameter.is_flag else f"{flags} `{metavar}`"


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _help_text(text: str | None) -> str:
    return _without_markup(inspect.cleandoc((text or "").replace("\f", "")))


def _cell(text: str) -> str:
    return _without_markup(" ".join(text.split())).replace("|", "\\|").replace("<", "\\<")


def _without_markup(text: str) -> str:
    return re.sub(r"\[/?(?:dim|bold)\]", "", text).replace("\\[", "[")


PAGES: Mapping[str, Callable[[], str]] = {"settings": settings_page, "api": api_page, "cli": cli_page}


def fill_in(_app: Any, docname: str, source: list[str]) -> None:
    """Replace the marker line of a reference page."""
    if docname == "architecture":  # GitHub draws Mermaid from text; the site shows its picture of the same graph
        source[0] = re.sub(r"(?ms)^```mermaid\n.*?^```$", DRAWING, source[0])
    name = PurePath(docname).name
    if docname == f"reference/{name}" and name in PAGES:
        marker = f"<!-- {name} -->"
        if marker not in source[0]:
            raise ValueError(f"{docname}.md has no line {marker}")
        source[0] = source[0].replace(marker, PAGES[name]())


_INDENTED = re.compile(r"(?m)(?:^|\n)\n((?: {4}[^\n]*(?:\n|$)|\n(?= {4}))+)")
_CODE = re.compile(r"(`[^`]+`)")


def as_rest(_app: Any, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Convert a docstring, which marks code with single backticks and code blocks by their indent alone."""
    text = _raises("\n".join(lines))
    converted, place = [], 0
    for block in _INDENTED.finditer(text):
        converted += [_prose(text[place : block.start(1)]), "::\n\n", block[1], "\n"]
        place = block.end()
    converted.append(_prose(text[place:]))
    lines[:] = "".join(converted).split("\n")


def _raises(text: str) -> str:
    """The `Raises:` section of a docstring as a field list."""
    before, heading, after = text.partition("\nRaises:\n")
    if not heading:
        return text
    fields = re.sub(r"(?m)^ {4}(?=\w+:)", ":raises ", after).replace("\n        ", "\n    ")
    return f"{before}\n{fields}"


def _prose(text: str) -> str:
    parts = _CODE.split(text)
    return "".join(
        f"`{part}`" if i % 2 else re.sub(r"([*|])|(?<=\w)_(?!\w)", r"\\\g<0>", part) for i, part in enumerate(parts)
    )


def setup(app: Any) -> dict[str, Any]:
    app.connect("source-read", fill_in)
    app.connect("autodoc-process-docstring", as_rest)
    return {"version": egrm_graph.__version__, "parallel_read_safe": True, "parallel_write_safe": True}
