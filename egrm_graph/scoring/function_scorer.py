"""A plain Python function as the scorer."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, SupportsFloat, TypeAlias

from egrm_graph.errors import SettingsError
from egrm_graph.scoring.scorer import Unscored

SIGNATURE = "def {name}(question: str, path: str) -> float"
QUOTED_CHARACTERS = 80

ScoreFunction: TypeAlias = Callable[[str, str], float | Awaitable[float]]
"""From a question and the text of a reasoning path to a score from 0 to 1; higher is better. It may be async."""


class FunctionScorer:
    """A `Scorer` that calls a function for each path.

    An async function runs on the caller's event loop. Any other runs in threads, several paths at once, so it has to be
    safe to call from more than one thread. A path has no score if its call raises, or returns anything but a number
    from 0 to 1; the other paths keep theirs.

    Raises:
        SettingsError: the function does not take two positional arguments.
    """

    calibrated = False

    def __init__(self, function: ScoreFunction) -> None:
        self._function = function
        self._name = _name_of(function)
        self._is_async = _is_async(function)
        _check_signature(function, self._name)

    @property
    def name(self) -> str:
        """The function's name."""
        return self._name

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        """The score of each path, in order, or why it has none."""
        return list(await asyncio.gather(*(self._score(question, path) for path in paths)))

    async def aclose(self) -> None:
        """Does nothing: the function holds no resources that the scorer knows of."""

    async def _score(self, question: str, path: str) -> float | Unscored:
        try:
            result: Any
            if self._is_async:
                result = self._function(question, path)
            else:
                result = await asyncio.to_thread(self._function, question, path)
            if inspect.isawaitable(result):
                result = await result
            return self._checked(result)
        except Exception as error:
            return Unscored(f"the scorer {self._name} raised {_cut(f'{type(error).__name__}: {error}')}")

    def _checked(self, result: Any) -> float | Unscored:
        if isinstance(result, str | bytes) or not isinstance(result, SupportsFloat):
            return Unscored(f"the scorer {self._name} returned {_cut(repr(result))}, which is not a number")
        score = float(result)
        if not 0 <= score <= 1:  # nor is a NaN
            return Unscored(f"the scorer {self._name} returned {score}, which is not in [0, 1]")
        return score


def _name_of(function: ScoreFunction) -> str:
    inner: Any = function.func if isinstance(function, functools.partial) else function
    return str(getattr(inner, "__name__", type(inner).__name__))


def _is_async(function: ScoreFunction) -> bool:
    inner: Any = inspect.unwrap(function.func if isinstance(function, functools.partial) else function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(getattr(inner, "__call__", None))  # noqa: B004 - the method itself


def _check_signature(function: ScoreFunction, name: str) -> None:
    try:
        inspect.signature(function).bind("question", "path")
    except TypeError as error:
        expected = SIGNATURE.format(name=name if name.isidentifier() else "score")
        raise SettingsError(
            f"scorer is the function {name!r}, which cannot be called as {name}(question, path): {error}. "
            f"Write it as `{expected}`"
        ) from error
    except ValueError:
        return  # a built-in function without a signature


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= QUOTED_CHARACTERS else f"{text[:QUOTED_CHARACTERS]}..."
