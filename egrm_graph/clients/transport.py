"""Requests to model servers: one shared session, several URLs in turn, and the package's only retries.

The session runs on an event loop of its own and serves callers on any loop or thread.
"""

from __future__ import annotations

import asyncio
import itertools
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
from egrm_graph.clients.server_errors import RetryableError, ServerFixes, checked_url, error_in, refusal
from egrm_graph.clients.server_json import dumps, loads
from egrm_graph.errors import DeadlineReached, EgrmError, ModelError, ServerError, SettingsError, SetupError
from egrm_graph.runtime.background_loop import BackgroundLoop
from egrm_graph.runtime.forking import call_in_children

_T = TypeVar("_T")
_Read = Callable[[aiohttp.ClientResponse], Awaitable[_T]]

VLLM_ROUTES = ("/tokenize", "/detokenize", "/pooling")
KEEPALIVE_S = 4.0
"""vLLM closes an idle connection after five seconds. A shorter limit here avoids sending on one that is closed."""
RETRY_AFTER_MOST_S = 30.0
"""The longest wait before the next try, even if the server asks for more."""
LISTED_MODELS = 20
"""An error names at most so many served models: a hosted server may have hundreds."""
_backoff = wait_exponential(multiplier=0.2, max=5.0) + wait_random(0.0, 0.2)


@dataclass(frozen=True)
class ServerRequest:
    """One request that any of the servers can answer; `path` follows the base URL."""

    path: str
    body: dict[str, Any] | None = None
    request_id: str | None = None

    def url(self, base_url: str) -> str:
        """The full URL. vLLM's own routes, unlike OpenAI's, are not under `/v1`."""
        return (base_url.removesuffix("/v1") if self.path in VLLM_ROUTES else base_url) + self.path


class Transport:
    """Sends requests for `model`, and turns every failure into one of this package's errors."""

    def __init__(
        self,
        model: str,
        base_urls: Sequence[str],
        *,
        api_key: str | None,
        connect_timeout_s: float,
        request_timeout_s: float,
        attempts: int,
        fixes: ServerFixes,
    ) -> None:
        self._model = model
        self._fixes = fixes
        named, setting = [base_urls] if isinstance(base_urls, str) else base_urls, self._fixes.setting
        self.base_urls = tuple(checked_url(url, setting) for url in named)
        if not self.base_urls:
            raise SettingsError(f"{setting} is empty; name at least one server, such as http://localhost:8000/v1")
        self._api_key = (api_key or "").strip()
        self._request_timeout_s = request_timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._attempts = attempts
        self._turn = itertools.count()
        self._closed = False
        self._loop = BackgroundLoop("egrm-server")
        self._sessions: list[aiohttp.ClientSession] = []
        self._finalizer = weakref.finalize(self, _release, self._loop, self._sessions)
        call_in_children(self._drop_sessions)  # after the loop, which releases their sockets

    async def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs work that sends requests. Call `send` only inside such work."""
        if self._closed:
            work.close()
            raise SetupError("this client is closed; create a new one")
        try:
            return await self._loop.await_(work)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed and (task is None or not task.cancelling()):
                raise ServerError("the client was closed during this request") from None
            raise

    async def send(
        self,
        request: ServerRequest,
        read: _Read[_T],
        *,
        base_url: str | None = None,
    ) -> _T:
        """Returns what `read` returns for the answer. Each try goes to the next server.

        Raises:
            ServerError: the last try failed, too.
            DeadlineReached: a try took longer than `request_timeout_s`; it is not repeated.
            SetupError: the server refused the request, and would again.
        """
        try:
            return await self._once(request, read, base_url)
        except RetryableError as error:
            failed = error
        try:
            return await self._again(failed, request, read, base_url)
        except RetryableError as error:
            tries = f" ({self._attempts} tries)" if self._attempts > 1 else ""
            raise ServerError(f"{error}{tries}") from error

    async def _again(
        self,
        failed: RetryableError,
        request: ServerRequest,
        read: _Read[_T],
        base_url: str | None,
    ) -> _T:
        """The result of a request whose first try failed. tenacity counts that try, but did not make it: retrying takes
        CPU time that requests without a failure should not pay for.

        Raises:
            RetryableError: no try succeeded.
        """
        tried = itertools.count(1)

        async def attempt() -> _T:
            if next(tried) == 1:
                raise failed
            return await self._once(request, read, base_url)

        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._attempts),
            wait=_pause,
            retry=retry_if_exception_type(RetryableError),
            before_sleep=_report_retry,
            reraise=True,
        )
        return await retrying(attempt)

    def not_served(self, base_url: str, served: Sequence[str]) -> ModelError:
        """The error that lists the models that are served instead."""
        listed = [*served[:LISTED_MODELS], *([f"{len(served) - LISTED_MODELS} more"] * (len(served) > LISTED_MODELS))]
        names = ", ".join(listed) or "nothing"
        return ModelError(f"{base_url} does not serve {self._model!r} but {names}; {self._fixes.other_model}")

    async def aclose(self) -> None:
        """Cancels what still runs, and closes the session and the thread."""
        self._closed = True
        if self._finalizer.detach() is not None:
            await self._loop.await_(self._end())
            try:
                await asyncio.to_thread(self._loop.close)
            except RuntimeError:  # the interpreter is shutting down and starts no more threads
                self._loop.close()

    async def _once(self, request: ServerRequest, read: _Read[_T], base_url: str | None) -> _T:
        base_url = base_url or self.base_urls[next(self._turn) % len(self.base_urls)]
        if (observation := observed.get()) is not None:
            observation.server = base_url
        try:
            async with asyncio.timeout(self._request_timeout_s):
                response = await self._session().request(
                    "GET" if request.body is None else "POST",
                    request.url(base_url),
                    data=None if request.body is None else dumps(request.body),
                    headers=_headers(request),
                    allow_redirects=False,
                )
                async with response:
                    if response.status != 200:
                        raise await self._refused(base_url, request, response)
                    return await read(response)
        except EgrmError as error:
            error.args = tuple(map(self._without_key, error.args))
            raise
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise RetryableError(f"no server answers at {base_url}; {self._fixes.no_answer} ({error})") from error
        except TimeoutError as error:
            waited = f"{self._request_timeout_s:g} s (request_timeout_s)"
            raise DeadlineReached(f"{base_url} did not answer within {waited}") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise RetryableError(f"{base_url} broke off: {type(error).__name__}: {error}") from error

    async def _refused(self, base_url: str, request: ServerRequest, response: aiohttp.ClientResponse) -> EgrmError:
        text = self._without_key(await response.text(errors="replace"))
        if response.status != 404:
            return refusal(base_url, response.status, response.headers, text)
        if request.path == "/models":
            return SetupError(f"{base_url} is not an OpenAI-style API; a base URL usually ends in /v1")
        served = await self.send(ServerRequest("/models"), served_models, base_url=base_url)
        if self._model in served:
            return SetupError(f"{base_url} serves {self._model!r}, but has no {request.path}")
        return self.not_served(base_url, served)

    def _without_key(self, text: str) -> str:
        """The text without the API key, which a server may repeat."""
        return text.replace(self._api_key, "***") if self._api_key else text

    def _session(self) -> aiohttp.ClientSession:
        if not self._sessions:
            self._sessions.append(
                aiohttp.ClientSession(
                    # The server queues requests; a limit here would hide them from its scheduler.
                    connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEPALIVE_S),
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout_s),
                    headers={"Authorization": f"Bearer {self._api_key}"} if self._api_key else None,
                    cookie_jar=aiohttp.DummyCookieJar(),
                )
            )
        return self._sessions[0]

    def _drop_sessions(self) -> None:
        """Forgets the sessions in a forked child: they belong to the parent's loop."""
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
    """The model names in an answer of `/models`."""
    return list(await served_contexts(response))


async def served_contexts(response: aiohttp.ClientResponse) -> dict[str, int | None]:
    """The model names in an answer of `/models`, each with its context in tokens; None if the server does not say."""
    body = await read_json(response)
    try:
        contexts = {str(card["id"]): card.get("max_model_len") for card in body["data"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise ServerError(f"{response.url} does not list its models: {type(error).__name__}: {error}") from error
    return {name: context if isinstance(context, int) else None for name, context in contexts.items()}


async def read_json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    """The answer's JSON object.

    Raises:
        EgrmError: it is not a JSON object, or it holds an error despite its status.
    """
    return parse_json(str(response.url), await response.read())


def parse_json(url: str, content: bytes) -> dict[str, Any]:
    """The JSON object in a body; see `read_json`."""
    try:
        body = loads(content)
    except (ValueError, RecursionError) as error:
        raise ServerError(f"{url} did not answer with JSON: {error}") from error
    if (failure := error_in(url, body)) is not None:
        raise failure
    if not isinstance(body, dict):
        raise ServerError(f"{url} answered with {type(body).__name__}, not a JSON object")
    return body


async def all_results(works: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Returns all results, or raises the first error after cancelling the rest."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _headers(request: ServerRequest) -> dict[str, str]:
    """The headers of one request; the session adds its own, with the key."""
    headers = {} if request.body is None else {"Content-Type": "application/json"}
    if (observation := observed.get()) is not None:
        headers |= observation.headers
    if request.request_id is not None:
        headers["X-Request-Id"] = request.request_id
    return headers


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RetryableError) and error.retry_after_s is not None:
        return min(error.retry_after_s, RETRY_AFTER_MOST_S)
    return _backoff(state)


def _report_retry(state: RetryCallState) -> None:
    if (observation := observed.get()) is not None:
        observation.retried(str(state.outcome.exception() if state.outcome else ""))


async def _close_sessions(sessions: list[aiohttp.ClientSession]) -> None:
    while sessions:
        await sessions.pop().close()


def _close(loop: BackgroundLoop, sessions: list[aiohttp.ClientSession]) -> None:
    if sessions:
        loop.run(_close_sessions(sessions))
    loop.close()


def _release(loop: BackgroundLoop, sessions: list[aiohttp.ClientSession]) -> None:
    """Closes the sessions of a client that nobody closed. aiohttp would warn about them at the end of the program."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        _close(loop, sessions)
    else:  # it may be the loop that has to stop
        threading.Thread(target=_close, args=(loop, sessions), daemon=True).start()
