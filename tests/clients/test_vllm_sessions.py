import asyncio
import gc
import logging
import threading

import pytest

from egrm_graph.clients.server_client import ServerClient
from egrm_graph.errors import (
    ServerError,
    SetupError,
)
from tests.clients.asking import ask, client_of
from tests.clients.fake_server import (
    FakeServer,
    echo_seeds,
    say,
    stall,
)


async def test_cancelling_closes_the_connection() -> None:
    async with FakeServer(stall).running() as server, client_of(server) as client:
        task = asyncio.create_task(ask(client))
        await server.arrived()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.seen[0].broken_off.wait(), 5)
        assert len(server.seen) == 1


async def test_calls_in_turn_share_one_connection() -> None:
    async with FakeServer(say("56")).running() as server, client_of(server) as client:
        for _ in range(5):
            await ask(client)
        assert len(server.connections) == 1


async def test_two_event_loops_share_one_session() -> None:
    others = set(threading.enumerate())
    async with FakeServer(echo_seeds(delay_s=0.02)).running() as server, client_of(server) as client:

        async def several(first: int) -> list[str]:
            drawn = await asyncio.gather(*(ask(client, seeds=(first + i,)) for i in range(20)))
            return [item.completions[0].text for item in drawn]

        before = threading.active_count()
        other = asyncio.to_thread(lambda: asyncio.run(several(100)))
        here, there = await asyncio.gather(several(0), other)
        names = [thread.name for thread in threading.enumerate() if thread not in others]
    assert here == [str(i) for i in range(20)]
    assert there == [str(100 + i) for i in range(20)]
    assert names.count("egrm-server") == 1
    assert threading.active_count() <= before + 2


async def test_a_closed_client_says_so() -> None:
    async with FakeServer(say("56")).running() as server:
        client = ServerClient("tiny", [server.url])
        await ask(client)
        await client.aclose()
        await client.aclose()
        with pytest.raises(SetupError, match="this client is closed"):
            await ask(client)


async def test_closing_ends_what_is_under_way() -> None:
    async with FakeServer(stall).running() as server:
        client = ServerClient("tiny", [server.url])
        task = asyncio.create_task(ask(client))
        await server.arrived()
        await client.aclose()
        with pytest.raises(ServerError, match="the client was closed"):
            await task
        await asyncio.wait_for(server.seen[0].broken_off.wait(), 5)


async def test_a_client_that_is_not_closed_complains_of_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with FakeServer(say("56")).running() as server:
        client = ServerClient("tiny", [server.url])
        await ask(client)
        del client
        gc.collect()
        for thread in threading.enumerate():
            if thread.name == "egrm-server":
                await asyncio.to_thread(thread.join, 5)
        gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
