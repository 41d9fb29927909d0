import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from time import monotonic

import pytest
from aiohttp.test_utils import unused_port

from egrm_graph.clients.client import Meter, Sampling
from egrm_graph.clients.server_client import ServerClient
from egrm_graph.errors import (
    ContextTooLong,
    DeadlineReached,
    ModelError,
    ServerError,
    SettingsError,
    SetupError,
    Unsupported,
)
from egrm_graph.tracing.recorded_client import CallLog, RecordedClient
from tests.clients.asking import ask, client_of, failure
from tests.clients.fake_server import (
    Action,
    FakeServer,
    answer,
    chunks,
    cut_short,
    disconnect,
    refuse,
    say,
    stall,
    stream,
)


async def test_servers_take_turns() -> None:
    async with (
        FakeServer(say("1")).running() as one,
        FakeServer(say("2")).running() as two,
        client_of(one, two) as client,
    ):
        for _ in range(6):
            await ask(client)
    assert (len(one.seen), len(two.seen)) == (3, 3)


async def test_a_retry_goes_to_the_next_server_with_the_same_request_id() -> None:
    async with (
        FakeServer(refuse(503)).running() as one,
        FakeServer(say("2")).running() as two,
        client_of(one, two) as client,
    ):
        drawn = await ask(client)
    assert drawn.completions[0].text == "2"
    assert one.seen[0].headers["X-Request-Id"] == two.seen[0].headers["X-Request-Id"] == "run.answer_fast.0"
    assert one.bodies == two.bodies


@pytest.mark.parametrize("broken", [refuse(500), refuse(503), refuse(429), disconnect, cut_short])
async def test_retries_what_another_try_may_bring_through(broken: Action) -> None:
    async with FakeServer(broken, say("56")).running() as server, client_of(server) as client:
        drawn = await ask(client)
    assert drawn.completions[0].text == "56"
    assert len(server.seen) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422])
async def test_does_not_retry_what_would_be_refused_again(status: int) -> None:
    async with FakeServer(refuse(status)).running() as server, client_of(server) as client:
        with pytest.raises(SetupError):
            await ask(client)
    assert len(server.seen) == 1


async def test_a_retry_waits_a_little_first() -> None:
    async with FakeServer(refuse(500), say("56")).running() as server, client_of(server) as client:
        started = monotonic()
        await ask(client)
    assert 0.19 < monotonic() - started < 1


def in_a_second() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize("form", ["1", "date"])
async def test_waits_as_long_as_the_server_asks(form: str) -> None:
    headers = {"Retry-After": in_a_second() if form == "date" else form}
    async with FakeServer(refuse(429, headers=headers), say("56")).running() as server, client_of(server) as client:
        started = monotonic()
        await ask(client)
    assert 0.9 < monotonic() - started < 2.5


async def test_gives_up_after_the_last_try_and_says_why() -> None:
    async with FakeServer(refuse(503, "overloaded")).running() as server, client_of(server, attempts=2) as client:
        with pytest.raises(ServerError) as caught:
            await ask(client)
    assert str(caught.value) == f"{server.url} answered 503: overloaded (2 tries)"
    assert len(server.seen) == 2


async def test_a_missing_server_is_named_with_the_fix() -> None:
    url = f"http://127.0.0.1:{unused_port()}/v1"
    client = ServerClient("tiny", [url], attempts=2)
    with pytest.raises(ServerError) as caught:
        await ask(client)
    assert f"no server answers at {url}; start one with `egrm serve-model tiny` or pass --base-url" in str(caught.value)
    with pytest.raises(ServerError, match="no server answers"):
        await client.check()
    await client.aclose()


async def test_a_server_that_comes_up_late_is_found() -> None:
    dead = f"http://127.0.0.1:{unused_port()}/v1"
    async with FakeServer(say("56")).running() as server:
        client = ServerClient("tiny", [dead, server.url])
        drawn = await ask(client)
        await client.aclose()
    assert drawn.completions[0].text == "56"


async def test_no_answer_in_time_is_not_retried() -> None:
    async with FakeServer(stall).running() as server, client_of(server, request_timeout_s=0.2) as client:
        with pytest.raises(DeadlineReached, match=r"within 0.2 s \(request_timeout_s\)"):
            await ask(client)
        await asyncio.wait_for(server.seen[0].broken_off.wait(), 5)
    assert len(server.seen) == 1


async def test_a_stream_that_stalls_ends_in_time() -> None:
    server = FakeServer(stream(*chunks(answer("56"))[:3], then=stall))
    async with server.running(), client_of(server, request_timeout_s=0.3) as client:
        with pytest.raises(DeadlineReached):
            await ask(client, meter=Meter())


async def test_a_name_that_is_not_served_lists_what_is() -> None:
    server = FakeServer(refuse(404, "The model `tiny` does not exist."), served=("large", "small"))
    async with server.running(), client_of(server) as client:
        with pytest.raises(ModelError, match="does not serve 'tiny' but large, small; set model"):
            await ask(client)
        with pytest.raises(ModelError, match="does not serve 'tiny' but large, small; set model"):
            await client.check()


async def test_check_passes_where_the_model_is_served() -> None:
    async with FakeServer(say("56"), served=("other", "tiny")).running() as server, client_of(server) as client:
        await client.check()


async def test_a_base_url_without_its_path_is_named() -> None:
    async with FakeServer(say("56")).running() as server:
        client = ServerClient("tiny", [server.url.removesuffix("/v1")])
        with pytest.raises(SetupError, match="usually ends in /v1"):
            await client.check()
        with pytest.raises(SetupError, match="usually ends in /v1"):
            await ask(client)
        await client.aclose()


@pytest.mark.parametrize("url", ["localhost:8000/v1", "", "http://", "ftp://gpu/v1"])
async def test_a_base_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(SettingsError, match="has to look like http://localhost:8000/v1"):
        ServerClient("tiny", [url])


async def test_a_password_in_a_base_url_is_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        ServerClient("tiny", ["http://me:hunter2@gpu/v1"])
    assert "hunter2" not in str(caught.value)


async def test_more_tokens_than_the_context_holds_become_what_it_has_left() -> None:
    said = "This model's maximum context length is 256 tokens. However, you requested 2048 output tokens."
    long = Sampling(temperature=1, max_tokens=2048)
    script = (refuse(400, said), say("56"), say("57"))
    async with FakeServer(*script).running() as server, client_of(server) as client:
        first, second = await ask(client, sampling=long), await ask(client, sampling=long)
        assert [drawn.completions[0].text for drawn in (first, second)] == ["56", "57"]
        assert [body["max_completion_tokens"] for body in server.bodies] == [2048, None, None]


async def test_a_prompt_that_is_too_long_keeps_the_numbers() -> None:
    said = "This model's maximum context length is 256 tokens. However, you requested 300 output tokens."
    error = await failure(refuse(400, said))
    assert isinstance(error, ContextTooLong)
    assert "256" in str(error)
    assert "300" in str(error)


async def test_a_missing_key_is_named_with_the_fix() -> None:
    error = await failure(refuse(401, "Unauthorized"))
    assert type(error) is SetupError
    assert "set api_key (EGRM_API_KEY)" in str(error)


async def test_a_key_that_the_server_repeats_is_not_shown() -> None:
    error = await failure(refuse(400, "what is secret-key doing here"), api_key="secret-key")
    assert "what is *** doing here" in str(error)
    chain: list[BaseException | None] = [error, error.__cause__, error.__context__]
    assert not any("secret-key" in str(item) for item in chain)


async def test_a_model_without_a_chat_template_is_pointed_to_the_other_route() -> None:
    error = await failure(refuse(400, "default chat template is no longer allowed"))
    assert isinstance(error, Unsupported)
    assert "endpoint='completions'" in str(error)


async def test_a_page_for_an_answer_is_quoted_in_part() -> None:
    error = await failure(refuse(400, "<html>" + "x" * 10_000))
    assert len(str(error)) < 1000


async def test_too_many_log_probabilities_name_the_setting_that_asks_for_them() -> None:
    refused = refuse(400, "Requested sample logprobs of 20, which is greater than max allowed: 10")
    sampling = Sampling(temperature=1, max_tokens=8, logprobs=20)
    async with FakeServer(refused).running() as server, client_of(server) as client:
        with pytest.raises(Unsupported) as caught:
            await ask(client, sampling=sampling)
        with pytest.raises(Unsupported) as traced:
            await ask(RecordedClient(client, CallLog(None), tokens=20))
    assert str(caught.value) == (
        "`top_logprobs` is 20, but the server allows 10. Set `top_logprobs=10` or start vLLM with `--max-logprobs 20`."
    )
    assert str(traced.value) == str(caught.value).replace("top_logprobs", "trace_tokens")
