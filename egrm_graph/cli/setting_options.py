"""Command-line options made from the fields of a settings class: its types, defaults, and docstrings.

A field that can be None accepts the word `none`.
"""

from __future__ import annotations

import copy
import inspect
import re
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.markup import escape

Built = TypeVar("Built")

METAVARS: Mapping[Any, str] = {Path: "PATH"}
HELP_ALL = "help_all"
CHOICE = "CHOICE"
"""The metavar of a field with a closed set of values, in `--help`. The short text lists them."""


def with_fields(
    model: type[BaseModel],
    argument: str,
    build: Callable[[dict[str, Any]], Built],
    *,
    without: Sequence[str] = (),
    positional: Sequence[str] = (),
    panel: Callable[[str], str | None] = lambda _: None,
    metavars: Mapping[str, str] | None = None,
    common: Mapping[str, str] | None = None,
    default_texts: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each field of `model`.

    The command receives what `build` makes of the options that the user set, as its `argument`.

    `common` holds the fields that most users set, each with a short text. With it, `--help` lists only these, in this
    order, and the required fields. `--help-all` lists every field with its docstring, and the part of the command's
    docstring after a form feed. `default_texts` holds what `--help` calls the defaults whose value alone says too
    little; an empty text lists no default.
    """
    names = [name for name in dict.fromkeys((*(common or ()), *model.model_fields)) if name not in without]
    fields = {name: model.model_fields[name] for name in names}
    full = {name: _appearance(field, panel(name), (metavars or {}).get(name)) for name, field in fields.items()}
    listed = full
    if common is not None:
        texts = default_texts or {}
        listed = {name: _short(fields[name], full[name], common.get(name), texts.get(name)) for name in fields}
    options = [_parameter(name, field, name in positional, listed[name]) for name, field in fields.items()]
    if common is not None:
        options.insert(0, _help_all(full, n_hidden=sum(appearance["hidden"] for appearance in listed.values())))

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def parsed(**values: Any) -> None:
            values.pop(HELP_ALL, None)
            chosen = {name: values.pop(name) for name in fields}
            set_by_user = {
                name: _value(fields[name], value) for name, value in chosen.items() if value not in (None, [])
            }
            command(**values, **{argument: build(set_by_user)})

        own = [item for item in inspect.signature(command, eval_str=True).parameters.values() if item.name != argument]
        # By keyword, options without a default may follow those with one.
        parameters = [item.replace(kind=inspect.Parameter.KEYWORD_ONLY) for item in (*own, *options)]
        parsed.__name__, parsed.__doc__ = command.__name__, reflowed(command.__doc__ or "")
        parsed.__annotations__ = {item.name: item.annotation for item in parameters}
        parsed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return parsed

    return decorate


def reflowed(doc: str) -> str:
    """The docstring with each paragraph on one line, for a terminal of any width. Form feeds end a paragraph."""
    paragraphs = (" ".join(re.findall(r"\f|[^\s]+", paragraph)) for paragraph in doc.split("\n\n"))
    return "\n\n".join(paragraphs).replace("\n\n\f ", "\f\n\n")


def flag(name: str) -> str:
    """The name of a field on the command line."""
    return "--" + name.replace("_", "-")


def _flags(name: str, kind: Any) -> str:
    """The flags of a field. A boolean also has a negative one, because the environment may have set it."""
    return f"{flag(name)}/--no-{flag(name).removeprefix('--')}" if kind is bool else flag(name)


def _appearance(field: FieldInfo, panel: str | None, metavar: str | None) -> dict[str, Any]:
    """What the full help says about a field."""
    text = escape(" ".join((field.description or "").replace("None", "`none`").split()))
    return {
        "help": text if field.is_required() else _with_default(text, _default_text(field.default)),
        "metavar": metavar or _kind(field.annotation)[1],
        "rich_help_panel": panel,
        "hidden": False,
    }


def _short(field: FieldInfo, full: Mapping[str, Any], text: str | None, default_text: str | None) -> dict[str, Any]:
    """What `--help` says about a field with this short text. Without a text, only a required field is listed."""
    if text is None:
        return {**full, "hidden": not field.is_required()}
    metavar = CHOICE if get_origin(field.annotation) is Literal else full["metavar"]
    if default_text is None and field.default is not None and field.default is not False:
        default_text = _default_text(field.default)
    if default_text and not field.is_required():
        return {**full, "help": _with_default(escape(text), default_text), "metavar": metavar}
    return {**full, "help": escape(text), "metavar": metavar}


def _help_all(full: Mapping[str, Mapping[str, Any]], n_hidden: int) -> inspect.Parameter:
    """The option that prints the full help."""

    def show(ctx: typer.Context, wanted: bool) -> None:
        if wanted:
            command = copy.copy(ctx.command)
            command.help = (command.help or "").replace("\f", "")
            command.params = [_changed(item, full.get(item.name or "", {})) for item in command.params]
            typer.echo(command.get_help(ctx))
            raise typer.Exit

    text = f"Show {n_hidden} more settings, in more detail."
    info = typer.Option("--help-all", help=text, callback=show, is_eager=True)
    return inspect.Parameter(HELP_ALL, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, info])


def _changed(item: Any, attributes: Mapping[str, Any]) -> Any:
    changed = copy.copy(item)
    for name, value in attributes.items():
        setattr(changed, name, value)
    return changed


def _parameter(name: str, field: FieldInfo, positional: bool, appearance: Mapping[str, Any]) -> inspect.Parameter:
    kind, _ = _kind(field.annotation)
    # Every default is None, for a field that the user did not set. The help text states the field's own default.
    info: Any = (
        typer.Argument(**appearance, show_default=False)
        if positional
        else typer.Option(_flags(name, kind), **appearance, show_default=False)
    )
    default = inspect.Parameter.empty if field.is_required() else None
    annotation = Annotated[kind if field.is_required() else Union[kind, None], info]  # type: ignore[valid-type]  # noqa: UP007 - a type that is made here
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _kind(annotation: Any) -> tuple[Any, str | None]:
    """The type that the command line reads, and its name in the help. A type that allows None is read as text."""
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


def _value(field: FieldInfo, value: Any) -> Any:
    return None if value in ("none", ["none"]) and _optional(field.annotation) else value


def _with_default(text: str, default_text: str) -> str:
    return f"{text} [dim]\\[default: {escape(default_text)}][/dim]"


def _default_text(default: Any) -> str:
    if isinstance(default, tuple):
        return " ".join(default)
    return "none" if default is None else str(default).replace("\n", "\\n")
