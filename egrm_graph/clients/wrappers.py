"""Reaches the chat models inside LangChain's wrappers, and puts others in their place.

`bind`, `with_config`, `with_retry`, `with_fallbacks`, and `configurable_fields` wrap a model in an object that has none
of the model's fields. What such an object does is kept. Other runnables, such as chains, are refused: which model they
call, and with what, cannot be known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from egrm_graph.errors import SettingsError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.runnables import Runnable

EXTRA = ("model_kwargs", "extra_body")
"""A model's fields with further values to send, which go before those of other fields."""
SEEDS = ("seed", "random_seed")
"""What models call their seed."""

Change = Callable[["BaseChatModel", frozenset[str]], "BaseChatModel"]
"""From a model, and the names of the call arguments that are bound to it, to the model to call instead."""
Rebind = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""From bound call arguments to those to bind instead."""


def changed(
    runnable: Runnable[Any, Any], change: Change, rebind: Rebind = dict, bound: frozenset[str] = frozenset()
) -> Runnable[Any, Any]:
    """The same runnable with other chat models in it. Where a run configures its model, it is the current run's.

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
        first, *fallbacks = [inner(each) for each in runnable.runnables]
        return runnable.model_copy(update={"runnable": first, "fallbacks": fallbacks})
    if isinstance(runnable, DynamicRunnable):
        model = inner(runnable.prepare(ensure_config())[0])
        return model.with_config(runnable.config) if runnable.config else model
    raise _refused(runnable)


def models_in(runnable: Runnable[Any, Any]) -> list[tuple[BaseChatModel, frozenset[str]]]:
    """The chat models that it may call, the first choice first, each with the names of its bound call arguments.

    Raises:
        SettingsError: it is neither a chat model nor a known wrapper of one.
    """
    found = list[tuple["BaseChatModel", frozenset[str]]]()

    def look(model: BaseChatModel, bound: frozenset[str]) -> BaseChatModel:
        found.append((model, bound))
        return model

    changed(runnable, look)
    return found


def independent(runnable: Runnable[Any, Any], i: int) -> Runnable[Any, Any]:
    """The runnable for the i-th of several calls with one prompt: without LangChain's response cache, and where it has
    a fixed seed, with another one for each call. Models that have neither are left as they are.

    Raises:
        SettingsError: there is a global cache, and the runnable is neither a chat model nor a known wrapper of one.
    """
    from langchain_core.globals import get_llm_cache

    everywhere = get_llm_cache() is not None

    def copied(model: BaseChatModel, _: frozenset[str]) -> BaseChatModel:
        cached = everywhere if model.cache is None else model.cache is not False
        update: dict[str, Any] = {"cache": False} if cached else {}
        given = {name: value for name in (*SEEDS, *EXTRA) if (value := getattr(model, name, None)) is not None}
        moved = with_seed(given, i) | {name: with_seed(given[name], i) for name in EXTRA if name in given}
        update |= {name: value for name, value in moved.items() if value != given[name]}
        return model.model_copy(update=update) if update else model

    try:
        return changed(runnable, copied, lambda bound: with_seed(bound, i))
    except SettingsError as error:
        if everywhere:
            raise SettingsError(f"{error}; or turn the cache off: set_llm_cache(None)") from error
        return runnable


def with_seed(arguments: Mapping[str, Any], i: int) -> dict[str, Any]:
    """The arguments; a seed among them is another one for each i."""
    seeds = {name: seed + i for name in SEEDS if isinstance(seed := arguments.get(name), int)}
    return {**arguments, **seeds}


def _refused(runnable: object) -> SettingsError:
    from langchain_core.runnables import RunnableSequence

    kind = type(runnable).__name__
    if isinstance(runnable, RunnableSequence):
        fix = (
            "give the chat model alone, without a prompt, a parser, or with_structured_output: the graph writes the "
            "prompts and reads the answers"
        )
    elif kind == "_ConfigurableModel":
        fix = "name the model in init_chat_model(...), and leave out configurable_fields"
    else:
        fix = "give a chat model, alone or in bind, with_config, with_retry, with_fallbacks, or configurable_fields"
    return SettingsError(
        f"{kind} is not a chat model, so its temperature, seed, and cache cannot be set, and its answers may not be "
        f"independent; {fix}"
    )
