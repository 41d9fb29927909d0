"""Prompts: named sets of text files, one a model call, that a folder of the user's can replace file by file.

Decides: a template is compiled and tried once, when it is loaded, so that a mistake shows before a model is asked;
it runs in a sandbox, since a folder may come from anywhere; what is asked is a variable and never template source.

A model that continues its prompt goes on after its own answer with a next question, in the prompt's own pattern. So a
template says where that pattern starts again: `{% set stop = ["\nQuestion:"] %}`.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal, Self, get_args

from jinja2 import StrictUndefined, Template, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from egrm_graph.errors import SettingsError
from egrm_graph.settings import RunSettings
from egrm_graph.verification import Message

Call = Literal["answer_fast", "expand_cot"]

CALLS: tuple[Call, ...] = get_args(Call)
QUESTION: Mapping[str, Any] = {"question": "1+1"}
"""What a prompt for questions is tried with; its names are the variables that there are."""
CANDIDATES: Mapping[str, Any] = {
    "context": "1+1",
    "candidates": ["2", "3"],
    "labels": ["A", "B", "C"],
    "code": "0",
}
"""The same for prompts that judge candidates."""
_FOR_QUESTIONS = ("default", "tiny")


@dataclass(frozen=True)
class Prompts:
    """One compiled template for each model call."""

    name: str
    """The set's name, or the folder as it was given."""
    templates: Mapping[Call, Template]
    stop: Mapping[Call, tuple[str, ...]] = field(default_factory=dict)
    """Where generation stops, for a model that continues its prompt."""

    @classmethod
    def load(cls, name_or_folder: str, fallback_set: str) -> Self:
        """The named set, `auto` for the fallback set, or a folder whose files replace the fallback set's.

        Raises:
            SettingsError: there is no such set or folder, the folder has a file of an unknown name, or a template is
                wrong; the message names the file and the line.
        """
        name = fallback_set if name_or_folder == "auto" else name_or_folder
        if name in known_sets():
            files: dict[Call, Traversable] = {call: _set(name) / f"{call}.md" for call in CALLS}
        else:
            own = _own_files(name)
            files = {call: own.get(call) or _set(fallback_set) / f"{call}.md" for call in CALLS}
        trial = QUESTION if fallback_set in _FOR_QUESTIONS else CANDIDATES
        templates: dict[Call, Template] = {call: _compiled(file, trial) for call, file in files.items()}
        stop: dict[Call, tuple[str, ...]] = {call: _stop(template, trial) for call, template in templates.items()}
        return cls(name=name, templates=templates, stop=stop)

    def render(self, call: Call, variables: Mapping[str, Any], history: Sequence[Message] = ()) -> list[Message]:
        """The messages of one model call: the history as it is, then one user message.

        Raises:
            SettingsError: the template fails on these variables; the message names the file and the line.
        """
        return [*history, Message(role="user", content=_rendered(self.templates[call], variables))]

    def stop_of(self, call: Call, settings: RunSettings) -> tuple[str, ...]:
        """Where the generation of one model call stops: as the settings say, or else the template."""
        return self.stop.get(call, ()) if settings.stop is None else settings.stop


def known_sets() -> list[str]:
    """The names of the sets that come with the package."""
    return sorted(entry.name for entry in resources.files("egrm_graph.prompts").iterdir() if _is_set(entry))


def _is_set(entry: Traversable) -> bool:
    return entry.is_dir() and (entry / f"{CALLS[0]}.md").is_file()


def _set(name: str) -> Traversable:
    return resources.files("egrm_graph.prompts") / name


def _own_files(folder: str) -> dict[str, Traversable]:
    """The folder's prompts by the call that they replace."""
    path = Path(folder)
    if not path.is_dir():
        raise SettingsError(
            f"prompts={folder!r} is neither a folder nor a known set; known are {', '.join(known_sets())}"
        )
    files: dict[str, Traversable] = {}
    for file in sorted(path.iterdir()):
        if file.name.startswith("."):
            continue
        if file.suffix != ".md" or file.stem not in CALLS:
            known = ", ".join(f"{call}.md" for call in CALLS)
            raise SettingsError(f"prompts={folder!r}: {file.name} is no prompt; a folder can replace {known}")
        files[file.stem] = file
    return files


def _compiled(file: Traversable, trial: Mapping[str, Any]) -> Template:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # a prompt is text, not HTML
        trim_blocks=True,  # the header comment leaves no empty line
    )
    name = str(file)
    try:
        source = file.read_text(encoding="utf-8").rstrip("\n")
        code = environment.compile(source, name=name, filename=name)
    except TemplateSyntaxError as error:
        raise SettingsError(f"{name}, line {error.lineno}: {error.message}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name} cannot be read as UTF-8 text: {error}") from error
    template = Template.from_code(environment, code, environment.make_globals(None))
    template.filename = name
    _rendered(template, trial)
    return template


def _stop(template: Template, trial: Mapping[str, Any]) -> tuple[str, ...]:
    stop = getattr(template.make_module(dict(trial)), "stop", ())
    if not isinstance(stop, list | tuple) or not all(isinstance(text, str) and text for text in stop):
        raise SettingsError(
            f"{template.filename}: stop is {stop!r}; give a list of texts that are not empty, such as "
            '{% set stop = ["Question:"] %}'
        )
    return tuple(stop)


def _rendered(template: Template, variables: Mapping[str, Any]) -> str:
    try:
        return template.render(variables)
    except Exception as error:  # a template is a small program, and can fail with anything
        known = ", ".join(variables)
        raise SettingsError(
            f"{template.filename}, line {_line(error, template)}: {error} (variables: {known})"
        ) from error


def _line(error: Exception, template: Template) -> int | str:
    """The template's line that failed: Jinja rewrites its frames so that they name the template's file."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == template.filename]
    return next((line for line in reversed(lines) if line is not None), "?")
