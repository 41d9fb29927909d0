"""Checks and wraps the objects that a caller passes in, before the first token is paid for."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from egrm_graph.clients.client import Client
from egrm_graph.errors import SettingsError
from egrm_graph.scoring.function_scorer import SIGNATURE, FunctionScorer, ScoreFunction
from egrm_graph.scoring.scorer import Scorer

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


def as_scorer(value: Scorer | ScoreFunction) -> Scorer:
    """The scorer, or a scorer that calls the function.

    Raises:
        SettingsError: it is neither a scorer nor a function of a question and a path.
    """
    if not callable(value) or inspect.isclass(value) or hasattr(value, "score"):
        check_conforms("scorer", value, Scorer, otherwise=f"or a function `{SIGNATURE.format(name='score')}`")
        return value  # type: ignore[return-value]  # it has been checked
    return FunctionScorer(value)


def as_client(value: Client | BaseChatModel) -> Client:
    """The client, or a client of the LangChain chat model.

    Raises:
        SettingsError: it is neither, or its temperature cannot be set.
    """
    langchain = sys.modules.get("langchain_core.runnables")  # without it, nobody has a chat model to pass
    if langchain is not None and isinstance(value, langchain.Runnable) and not hasattr(value, "sample"):
        from egrm_graph.clients.chat_model import ChatModelClient

        return ChatModelClient(value)
    check_conforms("client", value, Client, otherwise="or a LangChain chat model")
    return value  # type: ignore[return-value]  # it has been checked


def check_conforms(what: str, given: object, protocol: type, *, otherwise: str = "") -> None:
    """Checks every member of the protocol: attributes are there and are values, methods take what they are called with,
    and those that are awaited are coroutine functions. `otherwise` says what else could be passed in.

    Raises:
        SettingsError: names everything that is missing or wrong, and the fix.
    """
    if inspect.isclass(given):
        raise SettingsError(f"{what} is the class {given.__name__}; pass an instance: {what}={given.__name__}(...)")
    members = {name: member for name, member in vars(protocol).items() if not name.startswith("_")}
    faults = [fault for name, member in members.items() if (fault := _fault(given, name, member))]
    if not faults:
        return
    kind = f"the function {given.__name__!r}" if inspect.isfunction(given) else f"a {type(given).__name__}"
    see = f"see {protocol.__module__}.{protocol.__name__}"
    if not any(hasattr(given, name) for name in members):
        wanted = ", ".join(_spelled(name, member) for name, member in members.items())
        wanted = f"{wanted}, {otherwise}" if otherwise else wanted
        raise SettingsError(f"{what} is {kind}, not a {protocol.__name__}: pass an object with {wanted}; {see}")
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
