"""Checks that an object a caller passes in has all that a Protocol asks for, before the first token is paid for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from egrm_graph.errors import SettingsError


def check_conforms(what: str, given: object, protocol: type) -> None:
    """Checks every member of the protocol: attributes are there and are values, methods take what they are called with,
    and those that are awaited are coroutine functions.

    Raises:
        SettingsError: names everything that is missing or wrong, and the fix.
    """
    if inspect.isclass(given):
        raise SettingsError(f"{what} is the class {given.__name__}; hand in an instance: {what}={given.__name__}(...)")
    members = {name: member for name, member in vars(protocol).items() if not name.startswith("_")}
    faults = [fault for name, member in members.items() if (fault := _fault(given, name, member))]
    if not faults:
        return
    kind = f"the function {given.__name__!r}" if inspect.isfunction(given) else f"a {type(given).__name__}"
    see = f"see {protocol.__module__}.{protocol.__name__}"
    if not any(hasattr(given, name) for name in members):
        wanted = ", ".join(_spelled(name, member) for name, member in members.items())
        raise SettingsError(f"{what} is {kind}, not a {protocol.__name__}: hand in an object with {wanted}; {see}")
    raise SettingsError(f"{what} is {kind}, and {'; '.join(faults)}; {see}")


def _fault(given: object, name: str, wanted: object) -> str | None:
    """What is wrong with one member; None where it fits."""
    if not hasattr(given, name):
        return f"it has no {name}: add {_spelled(name, wanted)}"
    found = getattr(given, name)
    if isinstance(wanted, property):
        return f"its {name} is a method: make it a property or an attribute" if inspect.isroutine(found) else None
    if not callable(found):
        return f"its {name} is not a method: make it {_spelled(name, wanted)}"
    if (refused := _refused(found, wanted)) is not None:
        return f"its {name} cannot be called as it is here ({refused}): make it {_spelled(name, wanted)}"
    if inspect.iscoroutinefunction(wanted) and not _awaitable(found):
        return f"its {name} is not async: make it {_spelled(name, wanted)}"
    return None


def _spelled(name: str, wanted: object) -> str:
    if isinstance(wanted, property):
        return f"the attribute `{name}`"
    assert inspect.isfunction(wanted)
    names = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(wanted).parameters.values()
    ]
    return f"`async def {name}{inspect.Signature(names)}`"


def _refused(found: Callable[..., Any], wanted: object) -> str | None:
    """Why a call with the protocol's own arguments fails; None where it does not, or nobody can tell."""
    assert inspect.isfunction(wanted)
    _, *parameters = inspect.signature(wanted).parameters.values()
    by_name = {parameter.name: None for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}
    try:
        inspect.signature(found).bind(*[None] * (len(parameters) - len(by_name)), **by_name)
    except TypeError as error:
        return str(error)
    except ValueError:  # it has no signature to read
        return None
    return None


def _awaitable(found: Any) -> bool:
    """Whether calling it gives something to await, as far as can be seen: also behind a decorator or an annotation."""
    plain = inspect.unwrap(found)
    if inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(getattr(plain, "__call__", None)):  # noqa: B004 - the method itself
        return True
    returned = str(getattr(plain, "__annotations__", {}).get("return", ""))
    return any(kind in returned for kind in ("Awaitable", "Coroutine", "Future", "Task"))
