"""Checks that an object from the caller has the members of a Protocol, before any tokens are generated."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from egrm_graph.errors import SettingsError


def check_conforms(name: str, part: object, protocol: type, *, otherwise: str = "") -> None:
    """Check every member of a protocol: attributes exist, methods accept their arguments, and coroutines are async.
    `otherwise` says what else the caller could pass.

    Raises:
        SettingsError: a member is missing or wrong. The message lists all of them, each with the fix.
    """
    if inspect.isclass(part):
        raise SettingsError(f"{name} is the class {part.__name__}; pass an instance: {name}={part.__name__}(...)")
    members = {member: value for member, value in vars(protocol).items() if not member.startswith("_")}
    faults = [fault for member, value in members.items() if (fault := _fault(part, member, value))]
    if not faults:
        return
    kind = f"the function {part.__name__!r}" if inspect.isfunction(part) else f"a {type(part).__name__}"
    see = f"see {protocol.__module__}.{protocol.__name__}"
    if not any(hasattr(part, member) for member in members):
        required = ", ".join(_declared(member, value) for member, value in members.items())
        required = f"{required}, {otherwise}" if otherwise else required
        raise SettingsError(f"{name} is {kind}, not a {protocol.__name__}: pass an object with {required}; {see}")
    raise SettingsError(f"{name} is {kind}, and {'; '.join(faults)}; {see}")


def _fault(part: object, name: str, required: object) -> str | None:
    """Return what is wrong with a member. None if it conforms."""
    if not hasattr(part, name):
        return f"it has no {name}: add {_declared(name, required)}"
    found = getattr(part, name)
    if isinstance(required, property):
        return f"its {name} is a method: make it a property or an attribute" if inspect.isroutine(found) else None
    if not callable(found):
        return f"its {name} is not a method: make it {_declared(name, required)}"
    if (refusal := _refusal(found, required)) is not None:
        return f"its {name} cannot be called with these arguments ({refusal}): make it {_declared(name, required)}"
    if inspect.iscoroutinefunction(required) and not _awaitable(found):
        return f"its {name} is not async: make it {_declared(name, required)}"
    return None


def _declared(name: str, required: object) -> str:
    """Return the declaration of a member, as the caller would write it."""
    if isinstance(required, property):
        return f"the attribute `{name}`"
    assert inspect.isfunction(required)
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(required).parameters.values()
    ]
    kind = "async def" if inspect.iscoroutinefunction(required) else "def"
    return f"`{kind} {name}{inspect.Signature(parameters)}`"


def _refusal(found: Callable[..., Any], required: object) -> str | None:
    """Return why a call with the protocol's arguments fails. None if it works, or if the signature is unknown."""
    assert inspect.isfunction(required)
    _, *parameters = inspect.signature(required).parameters.values()
    by_name = {parameter.name: None for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    try:
        inspect.signature(found).bind(*[None] * (len(parameters) - len(by_name)), **by_name)
    except TypeError as error:
        return str(error)
    except ValueError:  # no signature
        return None
    return None


def _awaitable(found: Any) -> bool:
    """Return whether a call seems to return an awaitable, judging by decorators and annotations, too."""
    function = inspect.unwrap(found)
    call = getattr(function, "__call__", None)  # noqa: B004 - the method itself
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call):
        return True
    returned = str(getattr(function, "__annotations__", {}).get("return", ""))
    return any(kind in returned for kind in ("Awaitable", "Coroutine", "Future", "Task"))
