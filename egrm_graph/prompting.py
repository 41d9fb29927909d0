"""Prompts: one text file for each model call, in sets.

A prompt belongs to what uses it: `answer_fast` to the node, others to a path strategy. A set is a folder with files of
these names. Each prompt comes from the first of these places that has it: the set or folder that the settings name, the
task's own set, the strategy's own template, the set `default`. So a set or folder only holds what it changes.

Templates can include shared passages: `{% include "name.md" %}` finds a file next to the template, in your folder, or
in `prompts/shared`. A template can also set these next to its text:

- `{% set system %}...{% endset %}`: a system prompt.
- `{% set stop = ["\\nQuestion:"] %}`: where the prompt's own pattern starts again. A model that continues its prompt
  writes on after its answer with a next question in that pattern, so generation stops there.
- `{% set reply_start = "\\boxed{" %}`: the first words of the reply. The model continues them.
- `{% set reply_end = ["\n"] %}`: the texts before which a reply with that start ends.
- `{% set reply_pattern = "[0-9]+" %}`: a regular expression for the full reply, for servers that can restrict one. If
  it begins with `reply_start`, it also restricts how a started reply goes on.

Only fast answers use the last three.

A template is compiled and tried once when it is loaded, so that a mistake shows before a model is asked. It runs in a
sandbox, since a folder may come from anywhere. Questions and candidates are variables, never template source.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Self

from jinja2 import BaseLoader, Environment, StrictUndefined, Template, TemplateNotFound, TemplateSyntaxError
from jinja2.environment import TemplateModule
from jinja2.sandbox import ImmutableSandboxedEnvironment

from egrm_graph.errors import SettingsError
from egrm_graph.settings import RunSettings
from egrm_graph.verification import Message

FAST_PROMPT = "answer_fast"
DEFAULT_SET = "default"
SHARED = "shared"

PromptSource = Traversable | str
"""A template: a file, or its text."""


@dataclass(frozen=True)
class ReplyShape:
    """How a prompt wants the reply to look; see `reply_start`, `reply_end`, and `reply_pattern` above."""

    start: str = ""
    end: tuple[str, ...] = ()
    pattern: str | None = None

    @property
    def rest(self) -> str | None:
        """The pattern of what follows the start; None if the pattern does not begin with the start."""
        written = re.escape(self.start)
        if self.pattern is None or not self.pattern.startswith(written):
            return None
        return self.pattern[len(written) :]


@dataclass(frozen=True)
class Prompts:
    """The compiled templates, by the name of the model call."""

    name: str
    """The name of the set, or the folder, as the settings give it."""
    templates: Mapping[str, Template]
    stop: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where generation stops, for a model that continues its prompt."""
    replies: Mapping[str, ReplyShape] = field(default_factory=dict)
    """How replies look with the example variables."""

    @classmethod
    def load(
        cls,
        chosen: str,
        task_set: str | Path,
        variables: Mapping[str, Any],
        own: Mapping[str, PromptSource | None],
        known: Collection[str] = (),
    ) -> Self:
        """The prompts named in `own`, each with its strategy's own template if it has one.

        `chosen` is a set, a folder, or `auto` for the task's set; a folder may also have the prompts in `known`. Every
        template is tried with `variables`.

        Raises:
            SettingsError: a set, folder, or prompt is missing, a file in the folder has an unknown name, or a template
                is wrong; the message names the file and the line.
        """
        known = known or own
        chosen_files = _Files((), ()) if chosen == "auto" else _files(chosen, known)
        task_files = _files(task_set, known)
        fallback = _files(DEFAULT_SET, known)
        templates: dict[str, Template] = {}
        for name, template in own.items():
            source = chosen_files.get(name) or task_files.get(name) or template or fallback.get(name)
            if source is None:
                raise SettingsError(
                    f"prompt {name}.md is missing: neither prompts={chosen!r}, the task's set {str(task_set)!r}, nor "
                    "the strategy that uses it has one"
                )
            templates[name] = _compiled(name, source, variables, [chosen_files, task_files])
        stop = {name: _stop(template, variables) for name, template in templates.items()}
        replies = {name: _reply(template, variables) for name, template in templates.items()}
        return cls(str(task_set) if chosen == "auto" else chosen, templates, stop, replies)

    def merged(self, other: Prompts) -> Prompts:
        """These prompts and those of `other`."""
        return replace(
            self,
            templates={**other.templates, **self.templates},
            stop={**other.stop, **self.stop},
            replies={**other.replies, **self.replies},
        )

    def render(
        self, name: str, variables: Mapping[str, Any], history: Sequence[Message] = (), *, start: str = ""
    ) -> list[Message]:
        """The messages of one model call: the system prompt if there is one, the history, one user message, and the
        `start` of the assistant's turn if it is not empty.

        Raises:
            SettingsError: the template fails on these variables; the message names the file and the line.
        """
        text, system = _rendered(self.templates[name], variables)
        messages = [*history, Message(role="user", content=text)]
        if start:
            messages.append(Message(role="assistant", content=start))
        if not system:
            return messages
        if messages[0]["role"] == "system":
            system = f"{system}\n\n{messages.pop(0)['content']}"
        return [Message(role="system", content=system), *messages]

    def reply_of(self, name: str, variables: Mapping[str, Any]) -> ReplyShape:
        """How the reply to one model call should look.

        Raises:
            SettingsError: the template sets something that cannot be used; the message names the file.
        """
        return _reply(self.templates[name], variables)

    def stop_of(self, name: str, settings: RunSettings) -> tuple[str, ...]:
        """Where the generation of one model call stops: as the settings say, or the template."""
        return self.stop.get(name, ()) if settings.stop is None else settings.stop


def known_sets() -> list[str]:
    """The names of the sets in the package."""
    sets = (entry for entry in resources.files("egrm_graph.prompts").iterdir() if entry.is_dir())
    return sorted(entry.name for entry in sets if entry.name != SHARED and (entry / f"{FAST_PROMPT}.md").is_file())


class _Files(dict[str, Traversable]):
    """The prompts of one set or folder by name, and its other files, which can be included."""

    def __init__(self, entries: Iterable[Traversable], known: Iterable[str]) -> None:
        files = {entry.name: entry for entry in entries if entry.is_file() and entry.name.endswith(".md")}
        super().__init__({name: files[f"{name}.md"] for name in known if f"{name}.md" in files})
        self.all = files


def _files(name_or_folder: str | Path, known: Collection[str]) -> _Files:
    if str(name_or_folder) in known_sets():
        return _Files((resources.files("egrm_graph.prompts") / str(name_or_folder)).iterdir(), known)
    folder = Path(name_or_folder)
    if not folder.is_dir():
        raise SettingsError(
            f"prompts={str(name_or_folder)!r} is neither a folder nor a known set; known sets are "
            f"{', '.join(known_sets())}"
        )
    for file in sorted(folder.iterdir()):
        partial = file.name.startswith(("_", "."))
        if not partial and (file.suffix != ".md" or file.stem not in known):
            names = ", ".join(f"{name}.md" for name in known)
            raise SettingsError(
                f"prompts={str(name_or_folder)!r}: {file.name} is not a known prompt; a folder can replace {names}. "
                "Start the name of a file that is only included with an underscore"
            )
    return _Files(folder.iterdir(), known)


class _Included(BaseLoader):
    """Finds the files that a template includes."""

    def __init__(self, places: Sequence[Mapping[str, Traversable]]) -> None:
        self._places = places

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:  # noqa: ARG002
        for place in self._places:
            if template in place:
                return place[template].read_text(encoding="utf-8"), str(place[template]), None
        raise TemplateNotFound(template)


def _compiled(name: str, source: PromptSource, variables: Mapping[str, Any], places: Sequence[_Files]) -> Template:
    shared = {entry.name: entry for entry in (resources.files("egrm_graph.prompts") / SHARED).iterdir()}
    neighbors = _neighbors(source)
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # a prompt is text, not HTML
        trim_blocks=True,  # the header comment leaves no empty line
        keep_trailing_newline=True,  # an included file reads as if it were pasted
        loader=_Included([neighbors, *(place.all for place in places), shared]),
    )
    filename = f"the strategy's own prompt {name!r}" if isinstance(source, str) else str(source)
    try:
        text = source if isinstance(source, str) else source.read_text(encoding="utf-8")
        code = environment.compile(text.rstrip("\n"), name=filename, filename=filename)
    except TemplateSyntaxError as error:
        raise SettingsError(f"{filename}, line {error.lineno}: {error.message}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{filename} cannot be read as UTF-8 text: {error}") from error
    template = Template.from_code(environment, code, environment.make_globals(None))
    template.filename = filename
    _rendered(template, variables)
    return template


def _neighbors(source: PromptSource) -> Mapping[str, Traversable]:
    """The files next to a template that is a file on disk."""
    if not isinstance(source, Path):
        return {}
    return {file.name: file for file in source.parent.iterdir() if file.suffix == ".md"}


def _stop(template: Template, variables: Mapping[str, Any]) -> tuple[str, ...]:
    return _texts(template, template.make_module(dict(variables)), "stop")


def _reply(template: Template, variables: Mapping[str, Any]) -> ReplyShape:
    module = template.make_module(dict(variables))
    start, pattern = getattr(module, "reply_start", ""), getattr(module, "reply_pattern", None)
    if not isinstance(start, str):
        raise SettingsError(f"{template.filename}: reply_start is {start!r}; it has to be a text")
    if pattern is not None and not _is_pattern(pattern):
        raise SettingsError(
            f"{template.filename}: reply_pattern is {pattern!r}; it has to be a regular expression for the full reply, "
            'such as {% set reply_pattern = "[0-9]+" %}'
        )
    return ReplyShape(start, _texts(template, module, "reply_end"), pattern)


def _is_pattern(pattern: object) -> bool:
    try:
        return isinstance(pattern, str) and pattern != "" and re.compile(pattern) is not None
    except re.error:
        return False


def _texts(template: Template, module: TemplateModule, name: str) -> tuple[str, ...]:
    texts = getattr(module, name, ())
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) and text for text in texts):
        raise SettingsError(
            f"{template.filename}: {name} is {texts!r}; it has to be a list of nonempty texts, such as "
            f'{{% set {name} = ["Question:"] %}}'
        )
    return tuple(texts)


def _rendered(template: Template, variables: Mapping[str, Any]) -> tuple[str, str]:
    """The text, and the system prompt; empty if the template sets none."""
    try:
        module = template.make_module(dict(variables))
        return str(module), str(getattr(module, "system", "")).strip()
    except Exception as error:  # a template is a small program and can fail with anything
        known = ", ".join(variables)
        raise SettingsError(
            f"{template.filename}, line {_line(error, template)}: {error} (variables: {known})"
        ) from error


def _line(error: Exception, template: Template) -> int | str:
    """The template's line that failed. The frames have the lines of the Python code that Jinja made of the template."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == template.filename]
    return next((template.get_corresponding_lineno(line) for line in reversed(lines) if line is not None), "?")
