"""Finds the chat models inside LangChain's wrappers, and replaces them.

`bind`, `with_config`, `with_retry`, `with_fallbacks`, and `configurable_fields` wrap a model in an object that has none
of the model's fields. The wrappers keep their effect. Other runnables, such as chains, are refused: nobody can know
which model they call, and with which arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from egrm_graph.errors import SettingsError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.runnables import Runnable

EXTRA = ("model_kwargs", "extra_body")
"""A model's fields with further values to send, which override its other fields."""
SEEDS = ("seed", "random_seed")
"""What models call their seed."""

_Change = Callable[["BaseChatModel", frozenset[str]], "BaseChatModel"]
"""From a model and the names of the call arguments bound to it to the model to call instead."""
_Rebind = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From bound call arguments to the ones to bind instead."""


def changed(
    runnable: Runnable[Any, Any], change: _Change, rebind: _Rebind = dict, bound: frozenset[str] = frozenset()
) -> Runnable[Any, Any]:
    """The same runnable with other chat models in it. If a run configures the model, it is the current run's.

    Raises:
        SettingsError: it is neither a chat model nor a known wrapper of one.
    """
    from langchain_core.language_models import BaseChatModel
    from langchain_core.runnables import RunnableWithFallbacks
    from langchain_core.runnables.base import RunnableBindingBase
    from langchain_core.runnables.config import ensure_config
    from langchain_core.runnables.configurable import DynamicRunnable

    def inner(runnable: Runnable[Any, Any], bound: frozenset[str] = bound) -> Runnable[Any, Any]:
        return changed(runnable, change, rebind, bound)

    if isinstance(runnable, BaseChatModel):
        return change(runnable, bound)
    if isinstance(runnable, RunnableBindingBase):
        model = inner(runnable.bound, bound | runnable.kwargs.keys())
        return runnable.model_copy(update={"bound": model, "kwargs": rebind(runnable.kwargs)})
    if isinstance(runnable, RunnableWithFallbacks):
        first, *fallbacks = [inner(option) for option in runnable.runnables]
        return runnable.model_copy(update={"runnable": first, "fallbacks": fallbacks})
    if isinstance(runnable, DynamicRunnable):
        model = inner(runnable.prepare(ensure_config())[0])
        return model.with_config(runnable.config) if runnable.config else model
    raise _refused(runnable)


def models_in(runnable: Runnable[Any, Any]) -> list[tuple[BaseChatModel, frozenset[str]]]:
    """The chat models that it may call, in order of preference, with the names of their bound call arguments.

    Raises:
        SettingsError: it is neither a chat model nor a known wrapper of one.
    """
    found = list[tuple["BaseChatModel", frozenset[str]]]()

    def collect(model: BaseChatModel, bound: frozenset[str]) -> BaseChatModel:
        found.append((model, bound))
        return model

    changed(runnable, collect)
    return found


def independent(runnable: Runnable[Any, Any], i: int) -> Runnable[Any, Any]:
    """The runnable for the i-th of several calls with one prompt.

    It bypasses LangChain's response cache. If it has a fixed seed, each call gets another one. A model with neither is
    returned unchanged.

    Raises:
        SettingsError: there is a global cache, and the runnable is neither a chat model nor a known wrapper of one.
    """
    from langchain_core.globals import get_llm_cache

    everywhere = get_llm_cache() is not None

    def copied(model: BaseChatModel, _: frozenset[str]) -> BaseChatModel:
        cached = everywhere if model.cache is None else model.cache is not False
        update: dict[str, Any] = {"cache": False} if cached else {}
        fields = {name: value for name in (*SEEDS, *EXTRA) if (value := getattr(model, name, None)) is not None}
        moved = with_seed(fields, i) | {name: with_seed(fields[name], i) for name in EXTRA if name in fields}
        update |= {name: value for name, value in moved.items() if value != fields[name]}
        return model.model_copy(update=update) if update else model

    try:
        return changed(runnable, copied, lambda bound: with_seed(bound, i))
    except SettingsError as error:
        if everywhere:
            raise SettingsError(f"{error}; or turn off the cache with set_llm_cache(None)") from error
        return runnable


def with_seed(arguments: Mapping[str, Any], i: int) -> dict[str, Any]:
    """The arguments, with a seed among them changed for each i."""
    seeds = {name: seed + i for name in SEEDS if isinstance(seed := arguments.get(name), int)}
    return {**arguments, **seeds}


def _refused(runnable: object) -> SettingsError:
    from langchain_core.runnables import RunnableSequence

    kind = type(runnable).__name__
    if isinstance(runnable, RunnableSequence):
        fix = (
            "pass only the chat model, without a prompt, a parser, or with_structured_output: the graph writes the "
            "prompts and reads the answers"
        )
    elif kind == "_ConfigurableModel":
        fix = "name the model in init_chat_model(...), without configurable_fields"
    else:
        fix = "pass a chat model, alone or in bind, with_config, with_retry, with_fallbacks, or configurable_fields"
    return SettingsError(
        f"{kind} is not a chat model, so its temperature, seed, and cache cannot be set, and its answers may not be "
        f"independent; {fix}"
    )
