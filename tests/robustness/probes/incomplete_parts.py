"""What `build_graph` says about a client or a scorer that is incomplete."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import EgrmError

Scores = list[float]


class FakeChat(FakeListChatModel):
    temperature: float = 1.0


class Complete:
    """A complete scorer."""

    name = "complete"
    calibrated = False

    async def score(self, question: str, paths: Sequence[str]) -> Scores:
        return [0.5] * len(paths)

    async def aclose(self) -> None: ...


class Sync(Complete):
    def score(self, question: str, paths: Sequence[str]) -> Scores:  # type: ignore[override]
        return [0.5] * len(paths)


class OnePath(Complete):
    async def score(self, path: str) -> Scores:  # type: ignore[override]
        return [0.5]


class OtherNames:
    name = "other"
    calibrated = False

    async def score(self, prompt: str, answers: Sequence[str], device: str = "cpu") -> Scores:
        return [0.5] * len(answers)

    async def aclose(self) -> None: ...


class MethodName(Complete):
    def name(self) -> str:  # type: ignore[override]
        return "complete"


class Bare:
    """Has only `score`."""

    async def score(self, question: str, paths: Sequence[str]) -> Scores:
        return [0.5] * len(paths)


class Delegating(Complete):
    """Returns the coroutine of another scorer."""

    def score(self, question: str, paths: Sequence[str]) -> Awaitable[Scores]:  # type: ignore[override]
        return Complete().score(question, paths)


def logged(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def logging(*given: Any, **named: Any) -> Any:
        return call(*given, **named)

    return logging


class Decorated(Complete):
    score = logged(Complete.score)


class Proxy:
    """Gets every attribute from another scorer on access."""

    def __getattr__(self, name: str) -> Any:
        return getattr(Complete(), name)


def function(question: str, path: str) -> float:
    return 0.5


async def async_function(question: str, path: str) -> float:
    return 0.5


def one_text(path: str) -> float:
    return 0.5


class NoSeeds(ScriptedClient):
    async def sample(self, prompt: Any, sampling: Any, *, request_id: str) -> Any: ...  # type: ignore[override]


class SyncClient(ScriptedClient):
    def sample(self, prompt: Any, sampling: Any, *, seeds: Any, request_id: str, meter: Any = None) -> Any:
        raise NotImplementedError


class NoLabels:
    name = "mine"
    gives_logprobs = False

    async def sample(self, prompt: Any, sampling: Any, *, seeds: Any, request_id: str, meter: Any = None) -> Any: ...

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...


SCORERS: dict[str, Any] = {
    "complete": Complete(),
    "sync": Sync(),
    "one path": OnePath(),
    "other names": OtherNames(),
    "method name": MethodName(),
    "bare": Bare(),
    "delegating": Delegating(),
    "decorated": Decorated(),
    "proxy": Proxy(),
    "class": Complete,
    "function": function,
    "lambda": lambda question, path: 0.5,
    "async function": async_function,
    "function of one text": one_text,
    "lambda of three": lambda question, path, reference: 0.5,
    "name": "my-scorer",
}
CLIENTS: dict[str, Any] = {
    "complete": ScriptedClient(fast=[]),
    "no seeds": NoSeeds(fast=[]),
    "sync": SyncClient(fast=[]),
    "no labels": NoLabels(),
    "class": ScriptedClient,
    "name": "openai:gpt-4.1-mini",
    "dictionary": {"base_url": "http://gpu:8000/v1"},
    "chat model": FakeChat(responses=["56"]),
    "chain": FakeChat(responses=["56"]) | StrOutputParser(),
}


def outcome(given: dict[str, str]) -> str:
    client, scorer = CLIENTS[given.get("client", "complete")], SCORERS[given.get("scorer", "complete")]
    try:
        build_graph(Settings(task="answer"), client=client, scorer=scorer)
    except EgrmError as error:
        return f"{type(error).__name__}: {error}"
    return "built"
