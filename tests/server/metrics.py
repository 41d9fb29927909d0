"""The metrics of a real vLLM server."""

import re
import time
from collections.abc import Callable

import aiohttp

from tests.server.conftest import Served


async def metric(server: Served, name: str) -> float:
    """The sum of a metric over its label sets."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(server.base_url.removesuffix("/v1") + "/metrics") as answer,
    ):
        lines = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", await answer.text(), re.MULTILINE)
    return sum(float(value) for value in lines)


async def until(server: Served, name: str, holds: Callable[[float], bool], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds(value := await metric(server, name)):
        assert time.monotonic() < deadline, f"{name} is still {value} after {timeout_s} s"
