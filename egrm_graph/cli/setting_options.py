"""Options made from the fields of a settings class: their types, defaults and docstrings are told once, there.

A field that can be None takes the word `none`.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.markup import escape

Built = TypeVar("Built")

METAVARS: Mapping[Any, str] = {Path: "PATH"}


def with_fields(
    model: type[BaseModel],
    argument: str,
    build: Callable[[dict[str, Any]], Built],
    *,
    without: Sequence[str] = (),
    positional: Sequence[str] = (),
    panel: Callable[[str], str | None] = lambda _: None,
    metavars: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command an option for each field of `model`.

    The command gets what `build` makes of those that were given, as its `argument`.
    """
    fields = {name: field for name, field in model.model_fields.items() if name not in without}
    options = [
        _parameter(name, field, name in positional, panel(name), (metavars or {}).get(name))
        for name, field in fields.items()
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def parsed(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in fields}
            told = {name: value for name, value in chosen.items() if value not in (None, [])}
            command(**given, **{argument: build({name: _value(fields[name], told[name]) for name in told})})

        own = [item for item in inspect.signature(command, eval_str=True).parameters.values() if item.name != argument]
        # By keyword, options without a default may follow those with one.
        parameters = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in (*own, *options)]
        parsed.__name__, parsed.__doc__ = command.__name__, _reflowed(command.__doc__ or "")
        parsed.__annotations__ = {item.name: item.annotation for item in parameters}
        parsed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return parsed

    return decorate


def _reflowed(doc: str) -> str:
    """Paragraphs of one line each: a terminal has a width of its own."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in doc.split("\n\n"))


def flag(name: str) -> str:
    """How a field is called on the command line."""
    return "--" + name.replace("_", "-")


def _flags(name: str, kind: Any) -> str:
    """A flag can be taken back: its default, or the environment, may have set it."""
    return f"{flag(name)}/--no-{flag(name).removeprefix('--')}" if kind is bool else flag(name)


def _parameter(
    name: str, field: FieldInfo, positional: bool, panel: str | None, metavar: str | None
) -> inspect.Parameter:
    kind, default_metavar = _kind(field.annotation)
    # Every default is None, for a field that was not given; the field's own default is told in the help.
    shared: dict[str, Any] = {"help": _help(field), "metavar": metavar or default_metavar, "show_default": False}
    default = inspect.Parameter.empty if field.is_required() else None
    info: Any = (
        typer.Argument(**shared) if positional else typer.Option(_flags(name, kind), rich_help_panel=panel, **shared)
    )
    annotation = Annotated[kind if field.is_required() else Union[kind, None], info]  # type: ignore[valid-type]  # noqa: UP007 - a type that is made here
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _kind(annotation: Any) -> tuple[Any, str | None]:
    """What the command line reads, and how help calls it. What can be None is read as text, for the word `none`."""
    if _optional(annotation):
        (kind,) = (kind for kind in get_args(annotation) if kind is not types.NoneType)
        if get_args(kind)[-1:] == (...,):
            return list[str], "TEXT|none"
        return str, f"{METAVARS.get(kind, kind.__name__.upper())}|none"
    if get_origin(annotation) is tuple:
        return list[str], None
    return annotation, None


def _optional(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType) and types.NoneType in get_args(annotation)


def _value(field: FieldInfo, given: Any) -> Any:
    return None if given in ("none", ["none"]) and _optional(field.annotation) else given


def _help(field: FieldInfo) -> str:
    told = escape(" ".join((field.description or "").replace("None", "`none`").split()))
    if field.is_required():
        return told
    return f"{told} [dim]\\[default: {escape(_shown(field.default))}][/dim]"


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return " ".join(default)
    return "none" if default is None else str(default).replace("\n", "\\n")
