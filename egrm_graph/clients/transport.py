"""Requests to model servers: one shared session, several URLs in turn, and the package's only retries.

All of it lives on an event loop of its own, so that one session serves callers on any loop or thread.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import warnings
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from egrm_graph.clients.observing import observed
from egrm_graph.clients.vllm_errors import Broken, Fixes, checked_url, error_in, refusal
from egrm_graph.errors import DeadlineReached, EgrmError, ModelError, ServerError, SettingsError, SetupError
from egrm_graph.runtime.background_loop import BackgroundLoop
from egrm_graph.runtime.forking import call_in_children

Result = TypeVar("Result")
Read = Callable[[aiohttp.ClientResponse], Awaitable[Result]]

VLLM_ROUTES = ("/tokenize", "/pooling")
KEEPALIVE_S = 4.0
"""Below the five seconds after which vLLM closes an idle connection: a reused one is never a dead one."""
RETRY_AFTER_MOST_S = 30.0
"""A server that asks for more patience than this is asked again after this."""
_backoff = wait_exponential(multiplier=0.2, max=5.0) + wait_random(0.0, 0.2)


@dataclass(frozen=True)
class Request:
    """One request, to be sent to any of the servers; `path` follows the base URL."""

    path: str
    body: dict[str, Any] | None = None
    request_id: str | None = None

    def url(self, base_url: str) -> str:
        """vLLM's own routes, unlike OpenAI's, are not under `/v1`."""
        return (base_url.removesuffix("/v1") if self.path in VLLM_ROUTES else base_url) + self.path


class Transport:
    """Sends requests for `model`, and turns whatever goes wrong into this package's errors."""

    def __init__(
        self,
        model: str,
        base_urls: Sequence[str],
        *,
        api_key: str | None,
        connect_timeout_s: float,
        request_timeout_s: float,
        attempts: int,
        fixes: Fixes | None = None,
    ) -> None:
        self._model = model
        self._fixes = fixes or Fixes(
            setting="base_url",
            absent=f"start one with `egrm serve-model {model}` or pass --base-url",
            other="set model (--model) to a served name",
        )
        named, setting = [base_urls] if isinstance(base_urls, str) else base_urls, self._fixes.setting
        self.base_urls = tuple(checked_url(url, setting) for url in named)
        if not self.base_urls:
            raise SettingsError(f"{setting} is empty; name at least one server, such as http://localhost:8000/v1")
        self._api_key = (api_key or "").strip()
        self._timeout = aiohttp.ClientTimeout(total=request_timeout_s, sock_connect=connect_timeout_s)
        self._attempts = attempts
        self._turn = itertools.count()
        self._closed = False
        self._loop = BackgroundLoop("egrm-vllm")
        self._sessions: list[aiohttp.ClientSession] = []
        self._finalizer = weakref.finalize(self, _let_go, self._loop, self._sessions)
        call_in_children(self._drop_sessions)  # after the loop, which lets go of their sockets

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Runs work that sends requests; all of `send` has to be called in here."""
        if self._closed:
            work.close()
            raise SetupError("this client is closed; build a new one")
        try:
            return await self._loop.await_(work)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed and (task is None or not task.cancelling()):
                raise ServerError("the client was closed while this request was under way") from None
            raise

    async def send(self, request: Request, read: Read[Result], *, base_url: str | None = None) -> Result:
        """What `read` makes of the answer, after as many tries as it takes; each goes to the next server.

        Raises:
            ServerError: the last try failed as well.
            DeadlineReached: a try took longer than `request_timeout_s`; it is not repeated.
            SetupError: the server refused, and would again.
        """
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._attempts),
            wait=_pause,
            retry=retry_if_exception_type(Broken),
            before_sleep=_tell,
            reraise=True,
        )
        try:
            return await retrying(self._once, request, read, base_url)
        except Broken as error:
            tries = f" ({self._attempts} tries)" if self._attempts > 1 else ""
            raise ServerError(f"{error}{tries}") from error

    def not_served(self, base_url: str, served: Sequence[str]) -> ModelError:
        """The error that lists what is served instead."""
        names = ", ".join(served) or "nothing"
        return ModelError(f"{base_url} does not serve {self._model!r} but {names}; {self._fixes.other}")

    async def aclose(self) -> None:
        """Ends what is under way, and lets go of session and thread."""
        self._closed = True
        if self._finalizer.detach() is not None:
            await self._loop.await_(self._end())
            try:
                await asyncio.to_thread(self._loop.close)
            except RuntimeError:  # the interpreter is ending, and gives out no threads any more
                self._loop.close()

    async def _once(self, request: Request, read: Read[Result], base_url: str | None) -> Result:
        base_url = base_url or self.base_urls[next(self._turn) % len(self.base_urls)]
        if (observation := observed.get()) is not None:
            observation.server = base_url
        try:
            async with self._session().request(
                "GET" if request.body is None else "POST",
                request.url(base_url),
                json=request.body,
                headers=_headers(request),
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    raise await self._refused(base_url, request, response)
                return await read(response)
        except EgrmError as error:
            error.args = tuple(map(self._without_key, error.args))
            raise
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Broken(f"no server answers at {base_url}; {self._fixes.absent} ({error})") from error
        except TimeoutError as error:
            waited = f"{self._timeout.total:g} s (request_timeout_s)"
            raise DeadlineReached(f"{base_url} did not answer within {waited}") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Broken(f"{base_url} broke off: {type(error).__name__}: {error}") from error

    async def _refused(self, base_url: str, request: Request, response: aiohttp.ClientResponse) -> EgrmError:
        text = self._without_key(await response.text(errors="replace"))
        if response.status != 404:
            return refusal(base_url, response.status, response.headers, text)
        if request.path == "/models":
            return SetupError(f"{base_url} is not an OpenAI-style API; a base URL usually ends in /v1")
        served = await self.send(Request("/models"), served_models, base_url=base_url)
        if self._model in served:
            return SetupError(f"{base_url} serves {self._model!r}, but has no {request.path}")
        return self.not_served(base_url, served)

    def _without_key(self, text: str) -> str:
        """A server may repeat the key that it was sent."""
        return text.replace(self._api_key, "***") if self._api_key else text

    def _session(self) -> aiohttp.ClientSession:
        if not self._sessions:
            self._sessions.append(
                aiohttp.ClientSession(
                    # The server queues; a limit here would only hide that from its scheduler.
                    connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
                    timeout=self._timeout,
                    headers={"Authorization": f"Bearer {self._api_key}"} if self._api_key else None,
                    cookie_jar=aiohttp.DummyCookieJar(),
                )
            )
        return self._sessions[0]

    def _drop_sessions(self) -> None:
        """In a forked child: they are on the parent's loop."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # the parent closes them
            self._sessions.clear()

    async def _end(self) -> None:
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await _close_sessions(self._sessions)


async def served_models(response: aiohttp.ClientResponse) -> list[str]:
    """The names in an answer of `/models`."""
    return list(await served_contexts(response))


async def served_contexts(response: aiohttp.ClientResponse) -> dict[str, int | None]:
    """The names in an answer of `/models`, and the tokens that each of them reads, where the server tells it."""
    body = await read_json(response)
    try:
        told = {str(card["id"]): card.get("max_model_len") for card in body["data"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise ServerError(f"{response.url} does not tell what is served: {type(error).__name__}: {error}") from error
    return {name: context if isinstance(context, int) else None for name, context in told.items()}


async def read_json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """The answer's JSON object.

    Raises:
        EgrmError: it is none, or it holds an error in spite of its status.
    """
    return parse_json(str(response.url), await response.read())


def parse_json(url: str, content: bytes) -> dict[str, Any]:
    """The JSON object in a body; see `read_json`."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ServerError(f"{url} did not answer with JSON: {error}") from error
    if (failure := error_in(url, body)) is not None:
        raise failure
    if not isinstance(body, dict):
        raise ServerError(f"{url} answered with {type(body).__name__}, not a JSON object")
    return body


async def all_results(works: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """All results, or the first error once the rest has been cancelled."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _headers(request: Request) -> dict[str, str]:
    """Of this request; the session adds its own, with the key."""
    watched = observed.get()
    told = {} if watched is None else dict(watched.headers)
    return told if request.request_id is None else {**told, "X-Request-Id": request.request_id}


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Broken) and error.retry_after_s is not None:
        return min(error.retry_after_s, RETRY_AFTER_MOST_S)
    return _backoff(state)


def _tell(state: RetryCallState) -> None:
    if (observation := observed.get()) is not None:
        observation.retried(str(state.outcome.exception() if state.outcome else ""))


async def _close_sessions(sessions: list[aiohttp.ClientSession]) -> None:
    while sessions:
        await sessions.pop().close()


def _close(loop: BackgroundLoop, sessions: list[aiohttp.ClientSession]) -> None:
    if sessions:
        loop.run(_close_sessions(sessions))
    loop.close()


def _let_go(loop: BackgroundLoop, sessions: list[aiohttp.ClientSession]) -> None:
    """For a client that nobody closed: aiohttp would complain of its session at the end of the program."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _close(loop, sessions)
    else:  # perhaps the very loop that has to be stopped
        threading.Thread(target=_close, args=(loop, sessions), daemon=True).start()
