"""The remote scorer against a fake server, which can fail in every way."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import re
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port
from pydantic import SecretStr

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import DeadlineReached, EgrmError, ModelError, ServerError, SettingsError, SetupError
from egrm_graph.parts import assemble, scorer_of
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.remote import RemoteScorer
from egrm_graph.scoring.scorer import Scorer, Unscored
from egrm_graph.settings import BUNDLED_MODEL, BUNDLED_SCORER
from tests.clients.fake_server import Action, FakeServer, Seen, disconnect, refuse, reply, stall

FOLDER = bundled(BUNDLED_SCORER)
QUESTION = "17+48"
IDS = [1, 5, 11, 14, 8, 12, 17]  # <s>, then 17+48 and a colon
LN3 = math.log(3)  # the logit of 3/4


def packed(*logits: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(logits)}f", *logits)).decode()


def answer(*logits: float) -> dict[str, Any]:
    """vLLM's response with these logits."""
    return {"data": [{"index": i, "object": "pooling", "data": packed(logit)} for i, logit in enumerate(logits)]}


async def lengths(seen: Seen) -> web.StreamResponse:
    """Reply with the number of tokens after the question as the logit of each row."""
    return web.json_response(answer(*(len(row) - len(IDS) for row in seen.body["input"])))


def at_most(tokens: int) -> Action:
    """Reply like `lengths` up to this many tokens, and refuse longer rows as vLLM does."""

    async def act(seen: Seen) -> web.StreamResponse:
        if max(map(len, seen.body["input"])) <= tokens:
            return await lengths(seen)
        return await refuse(400, f"This model's maximum context length is {tokens} tokens. However, ...")(seen)

    return act


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def serving(*script: Action, context: int | None = 256) -> FakeServer:
    return FakeServer(*script, served=(BUNDLED_SCORER,), context=context)


@asynccontextmanager
async def scorer_of_servers(*servers: FakeServer, folder: Path = FOLDER, **options: Any) -> AsyncIterator[RemoteScorer]:
    scorer = RemoteScorer(folder, [server.url for server in servers], **options)
    try:
        yield scorer
    finally:
        await scorer.aclose()


async def scored(*script: Action, paths: tuple[str, ...] = ("#65",), **options: Any) -> list[float | Unscored]:
    """The scores of one call."""
    async with serving(*script).running() as server, scorer_of_servers(server, **options) as scorer:
        return await scorer.score(QUESTION, paths)


async def failure(*script: Action, **options: Any) -> EgrmError:
    with pytest.raises(EgrmError) as caught:
        await scored(*script, **options)
    return caught.value


async def test_it_is_a_scorer_named_after_its_folder() -> None:
    scorer = RemoteScorer(FOLDER, ["http://localhost:8001/v1"])
    assert isinstance(scorer, Scorer)
    assert (scorer.name, scorer.calibrated) == (BUNDLED_SCORER, True)


async def test_it_is_calibrated_only_if_its_folder_says_so(tmp_path: Path) -> None:
    folder = copytree(FOLDER, tmp_path / "mine")
    manifest = json.loads((folder / "egrm.json").read_text())
    (folder / "egrm.json").write_text(json.dumps({**manifest, "calibration": None}))
    assert not RemoteScorer(folder, ["http://localhost:8001/v1"]).calibrated


async def test_its_folder_needs_no_weights(tmp_path: Path) -> None:
    folder = copytree(FOLDER, tmp_path / BUNDLED_SCORER, ignore=ignore_patterns("*.safetensors"))
    assert await scored(lengths, folder=folder) == [pytest.approx(sigmoid(3), abs=1e-7)]


async def test_it_requests_the_logits_of_token_ids_in_full_precision() -> None:
    async with serving(lengths).running() as server, scorer_of_servers(server) as scorer:
        await scorer.score(QUESTION, ["#65", "#6"])
    (seen,) = server.seen
    assert seen.path == "/pooling"
    assert seen.body == {
        "model": BUNDLED_SCORER,
        "task": "classify",
        "input": [[*IDS, 19, 10, 9], [*IDS, 19, 10]],
        "use_activation": False,
        "encoding_format": "base64",
        "embed_dtype": "float32",
        "endianness": "little",
    }


async def test_a_special_token_in_a_path_is_sent_as_text() -> None:
    async with serving(lengths).running() as server, scorer_of_servers(server) as scorer:
        await scorer.score(QUESTION, ["</s>6"])
    unknown = 3  # this tokenizer has no tokens for the four characters
    assert server.bodies[0]["input"] == [[*IDS, unknown, unknown, unknown, unknown, 10]]


async def test_the_api_key_is_sent_as_a_bearer_token() -> None:
    async with serving(lengths).running() as server, scorer_of_servers(server, api_key=SecretStr("k")) as scorer:
        await scorer.score(QUESTION, ["#65"])
    assert server.seen[0].headers["Authorization"] == "Bearer k"


async def test_a_score_is_the_sigmoid_of_the_logit() -> None:
    scores = await scored(reply(answer(0.0, LN3, -LN3)), paths=("#1", "#2", "#3"))
    assert scores == pytest.approx([0.5, 0.75, 0.25], abs=1e-7)


async def test_scores_are_in_the_order_of_the_paths() -> None:
    body = answer(0.0, LN3)
    scores = await scored(reply({"data": body["data"][::-1]}), paths=("#1", "#2"))
    assert scores == pytest.approx([0.5, 0.75], abs=1e-7)


@pytest.mark.parametrize("logit", [math.nan, math.inf, -math.inf])
async def test_a_logit_that_is_not_finite_affects_only_its_path(logit: float) -> None:
    assert await scored(reply(answer(logit, 0.0)), paths=("#1", "#2")) == [Unscored(f"the scorer gave {logit}"), 0.5]


async def test_paths_that_cannot_be_scored_are_not_sent() -> None:
    async with serving(lengths).running() as server, scorer_of_servers(server) as scorer:
        scores = await scorer.score(QUESTION, [" ", "1" * 256, "\ud800"])
    assert server.seen == []
    assert scores == [
        Unscored("the path is empty"),
        Unscored("question and path are 263 tokens, and the scorer reads at most 256"),
        Unscored("the question or the path is not valid Unicode"),
    ]


async def test_no_paths_have_no_scores() -> None:
    assert await scored(lengths, paths=()) == []


async def test_a_path_too_long_for_the_server_is_unscored_and_the_others_have_scores() -> None:
    server = serving(lengths, context=20)
    async with server.running(), scorer_of_servers(server) as scorer:
        scores = await scorer.score(QUESTION, ["1" * 13, "1" * 14])
    assert server.bodies[0]["input"] == [[*IDS, *[5] * 13]]
    assert scores == [
        pytest.approx(sigmoid(13), abs=1e-7),
        Unscored("question and path are 21 tokens, and the scorer's server reads at most 20"),
    ]


async def test_a_path_that_the_server_refuses_as_too_long_is_unscored_and_the_others_have_scores() -> None:
    server = serving(at_most(10), context=None)
    async with server.running(), scorer_of_servers(server) as scorer:
        first, second, third = await scorer.score(QUESTION, ["#65", "#655", "#6"])
    assert [first, third] == pytest.approx([sigmoid(3), sigmoid(2)], abs=1e-7)
    assert isinstance(second, Unscored)
    assert "maximum context length is 10 tokens" in second.reason


async def test_a_server_with_a_longer_context_serves_another_scorer() -> None:
    server = serving(lengths, context=512)
    async with server.running(), scorer_of_servers(server) as scorer:
        with pytest.raises(
            ModelError, match=r"reads 512 tokens, but the scorer in \S+ reads 256, so they are different"
        ):
            await scorer.score(QUESTION, ["#65"])
    assert server.seen == []


async def test_a_check_finds_problems_before_scoring() -> None:
    async with FakeServer(lengths, served=("other",)).running() as server, scorer_of_servers(server) as scorer:
        with pytest.raises(ModelError, match=f"does not serve '{BUNDLED_SCORER}' but other"):
            await scorer.check()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "the server's scores cannot be read: KeyError: 'data'"),
        ({"data": None}, "the server's scores cannot be read: TypeError"),
        ({"data": [7]}, "the server's scores cannot be read: TypeError"),
        (answer(), "the server answered with 0 scores, but 1 were requested"),
        (answer(1.0, 2.0), "the server answered with 2 scores, but 1 were requested"),
        ({"data": [{"index": 1, "data": packed(1.0)}]}, "the server answered with 1 scores"),
        ({"data": [{"index": 0, "data": [0.5]}]}, "the server's scores cannot be read: TypeError"),
        ({"data": [{"index": 0, "data": "0.5"}]}, "the server's scores cannot be read: Error"),
        (
            {"data": [{"index": 0, "data": "AAA="}]},
            "the server's scores cannot be read: ValueError: a score of 2 bytes",
        ),
        ({"data": [{"index": 0, "data": ""}]}, "the server's scores cannot be read: ValueError: a score of 0 bytes"),
        ([], "answered with list, not a JSON object"),
    ],
)
async def test_a_malformed_response_is_a_server_error(body: Any, message: str) -> None:
    error = await failure(reply(body))
    assert isinstance(error, ServerError)
    assert message in str(error)


async def test_a_model_with_two_labels_is_not_a_scorer() -> None:
    error = await failure(reply({"data": [{"index": 0, "data": packed(0.5, 0.5)}]}))
    assert isinstance(error, ModelError)
    assert str(error) == "the model that is served has 2 labels, but a scorer has 1"


async def test_a_malformed_model_list_is_a_server_error() -> None:
    app = web.Application()

    async def models(_request: web.Request) -> web.Response:
        return web.json_response({"data": ["tiny"]})

    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app)
    await runner.setup()
    port = unused_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    scorer = RemoteScorer(FOLDER, [f"http://127.0.0.1:{port}/v1"])
    with pytest.raises(ServerError, match="does not list its models"):
        await scorer.score(QUESTION, ["#65"])
    await scorer.aclose()
    await runner.cleanup()


@pytest.mark.parametrize("failed_reply", [refuse(503), refuse(429), disconnect])
async def test_temporary_failures_are_retried(failed_reply: Action) -> None:
    assert await scored(failed_reply, lengths) == [pytest.approx(sigmoid(3), abs=1e-7)]


async def test_a_permanent_failure_is_an_error() -> None:
    error = await failure(refuse(503, "out of order"), attempts=2)
    assert isinstance(error, ServerError)
    assert "answered 503: out of order (2 tries)" in str(error)


async def test_a_refused_request_is_not_retried() -> None:
    async with serving(refuse(400, "Token id 99 is out of vocabulary")).running() as server:
        async with scorer_of_servers(server) as scorer:
            with pytest.raises(SetupError, match="Token id 99 is out of vocabulary"):
                await scorer.score(QUESTION, ["#65"])
        assert len(server.seen) == 1


async def test_a_server_that_does_not_answer_in_time_is_an_error() -> None:
    error = await failure(stall, request_timeout_s=0.3)
    assert isinstance(error, DeadlineReached)


async def test_a_missing_server_is_an_error_with_the_command_that_starts_one() -> None:
    url = f"http://127.0.0.1:{unused_port()}/v1"
    scorer = RemoteScorer(FOLDER, [url], attempts=1)
    with pytest.raises(ServerError) as caught:
        await scorer.score(QUESTION, ["#65"])
    start = f"start one with `egrm serve-model {FOLDER}` or pass --scorer-url"
    assert str(caught.value).startswith(f"no server answers at {url}; {start} (")
    await scorer.aclose()


async def test_servers_take_turns() -> None:
    async with serving(lengths).running() as one, serving(lengths).running() as other:
        async with scorer_of_servers(one, other) as scorer:
            for _ in range(4):
                await scorer.score(QUESTION, ["#65"])
        assert (len(one.seen), len(other.seen)) == (2, 2)


async def test_another_server_takes_the_turn_of_one_that_is_down() -> None:
    async with serving(lengths).running() as server:
        scorer = RemoteScorer(FOLDER, [f"http://127.0.0.1:{unused_port()}/v1", server.url], attempts=2)
        scores = [score for _ in range(4) for score in await scorer.score(QUESTION, ["#65"])]
        assert scores == pytest.approx([sigmoid(3)] * 4, abs=1e-7)
        await scorer.aclose()


async def test_cancelling_aborts_the_request() -> None:
    async with serving(stall).running() as server, scorer_of_servers(server) as scorer:
        call = asyncio.ensure_future(scorer.score(QUESTION, ["#65"]))
        await server.arrived()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(server.seen[0].broken_off.wait(), 5)


async def test_many_paths_are_split_into_requests_of_bounded_size() -> None:
    paths = ["1" * n for n in range(1, 250)] * 3  # 99,600 tokens, including seven of the question each
    async with serving(lengths).running() as server, scorer_of_servers(server) as scorer:
        scores = await scorer.score(QUESTION, paths)
    assert scores == pytest.approx([sigmoid(len(path)) for path in paths], abs=1e-7)
    assert [sum(map(len, body["input"])) <= 65536 for body in server.bodies] == [True, True]


async def test_concurrent_requests_are_limited() -> None:
    running, most = 0, 0

    async def slowly(seen: Seen) -> web.StreamResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return await lengths(seen)

    async with serving(slowly).running() as server, scorer_of_servers(server, max_requests=3) as scorer:
        await asyncio.gather(*(scorer.score(QUESTION, ["#65"]) for _ in range(12)))
    assert (len(server.seen), most) == (12, 3)


async def test_a_closed_scorer_says_so() -> None:
    scorer = RemoteScorer(FOLDER, ["http://localhost:8001/v1"])
    await scorer.aclose()
    with pytest.raises(SetupError, match="closed"):
        await scorer.score(QUESTION, ["#65"])


async def test_a_folder_without_a_scorer_is_refused(tmp_path: Path) -> None:
    folder = copytree(FOLDER, tmp_path / "mine")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "id2label": {"0": "bad", "1": "good"}}))
    with pytest.raises(ModelError, match="has 2 labels, but a scorer has 1"):
        RemoteScorer(folder, ["http://localhost:8001/v1"])
    with pytest.raises(ModelError, match="none does not exist"):
        RemoteScorer(tmp_path / "none", ["http://localhost:8001/v1"])


def test_an_error_about_a_url_names_its_setting() -> None:
    with pytest.raises(SettingsError, match=r"scorer_url 'localhost:8001' cannot be used"):
        scorer_of(Settings(scorer_url="localhost:8001"))


@pytest.mark.parametrize("settings", [{"scorer": None}, {"engine": "vllm", "model": "Qwen/Qwen3-8B"}])
def test_a_scorer_url_without_a_scorer_is_an_error_that_says_what_to_set(settings: dict[str, Any]) -> None:
    url = "http://localhost:8001/v1"
    with pytest.raises(SettingsError, match=rf"scorer_url is '{re.escape(url)}'.*set scorer \(--scorer\)"):
        scorer_of(Settings(scorer_url=url, **settings))


async def test_the_check_covers_the_scorer_url_of_the_settings() -> None:
    client = ScriptedClient(fast=["56"], name=BUNDLED_MODEL)
    async with FakeServer(lengths, served=("other",)).running() as server:
        parts = assemble(Settings(scorer_url=server.url), client=client)
        with pytest.raises(ModelError, match="does not serve 'egrm-tiny-scorer' but other"):
            await parts.check()
        await parts.aclose()


async def test_if_the_scorer_cannot_be_reached_the_paths_vote_with_a_reason() -> None:
    client = ScriptedClient(fast=["57", "56", "57", "56", "57"], paths=["17+48=65;65-9=56;#56"] * 4, name=BUNDLED_MODEL)
    url = f"http://127.0.0.1:{unused_port()}/v1"
    parts = assemble(Settings(preset="published", scorer_url=url, attempts=1), client=client)
    graph = build_graph(parts.settings, client=client, scorer=parts.scorer)
    verification = (await graph.ainvoke({"question": "17+48-9"}))["verification"]
    await parts.aclose()
    assert (verification["status"], verification["answer"], verification["best_path"]) == ("degraded", "56", None)
    assert verification["reasons"][0].startswith(f"the scorer failed: no server answers at {url}")


async def test_a_run_with_a_remote_scorer_does_not_import_torch() -> None:
    code = """
import sys
from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient

client = ScriptedClient(fast=["57", "56", "57", "56", "57"], paths=["#56"] * 4, name="egrm-tiny")
graph = build_graph(Settings(preset="published", scorer_url=sys.argv[1]), client=client)
verification = graph.invoke({"question": "17+48-9"})["verification"]
print(verification["status"], [path["score"] for path in verification["paths"]])
print([name for name in ("torch", "transformers") if name in sys.modules])
"""
    async with serving(reply(answer(0.0, 0.0, 0.0, 0.0))).running() as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, server.url, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
    assert out.decode().splitlines() == ["ok [0.5, 0.5, 0.5, 0.5]", "[]"]


def test_a_graph_that_is_not_closed_exits_without_warnings() -> None:
    code = """
from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
graph = build_graph(Settings(scorer_url="http://127.0.0.1:9/v1"), client=ScriptedClient(fast=["1"], name="egrm-tiny"))
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


STEPS = [[9, 12]]
PATH = "17+48=65;#65"


async def per_token(seen: Seen) -> web.StreamResponse:
    """Reply with one logit per token, as a server with `token_classify` does: its index among the tokens."""
    if seen.body["task"] != "token_classify":
        return await refuse(400, SWITCH.format("classify"))(seen)
    rows = seen.body["input"]
    return web.json_response(
        {"data": [{"index": i, "data": packed(*map(float, range(len(row))))} for i, row in enumerate(rows)]}
    )


SWITCH = "Try switching the model's pooling_task via --pooler-config.task {}."


async def per_text(seen: Seen) -> web.StreamResponse:
    """Reply with one logit per text, and refuse anything else as vLLM does."""
    if seen.body["task"] != "classify":
        return await refuse(400, SWITCH.format("token_classify"))(seen)
    return await lengths(seen)


async def test_a_step_has_the_logit_of_its_last_token() -> None:
    async with serving(per_token).running() as server, scorer_of_servers(server) as scorer:
        ((first, second),) = await scorer.score_steps(QUESTION, [PATH], STEPS)  # type: ignore[misc] # it is scored
    assert server.bodies[0]["task"] == "token_classify"
    assert [first, second] == pytest.approx([sigmoid(len(IDS) + 8), sigmoid(len(IDS) + 11)], abs=1e-7)


async def test_a_server_of_step_scores_gives_scores_of_full_paths_after_one_refusal() -> None:
    async with serving(per_token).running() as server, scorer_of_servers(server) as scorer:
        for _ in range(2):
            assert await scorer.score(QUESTION, ["#65"]) == [pytest.approx(sigmoid(len(IDS) + 2), abs=1e-7)]
    assert [body["task"] for body in server.bodies] == ["classify", "token_classify", "token_classify"]


async def test_a_server_of_full_paths_is_refused_for_steps_with_the_command_to_serve_them() -> None:
    async with serving(per_text).running() as server, scorer_of_servers(server) as scorer:
        with pytest.raises(ModelError, match=rf"serve it with `egrm serve-model {FOLDER} --steps` \("):
            await scorer.score_steps(QUESTION, [PATH], STEPS)
        assert await scorer.score(QUESTION, ["#65"]) == [pytest.approx(sigmoid(3), abs=1e-7)]


async def test_the_score_of_a_served_process_scorer_is_the_aggregate_of_its_step_scores(tmp_path: Path) -> None:
    folder = copytree(FOLDER, tmp_path / BUNDLED_SCORER)
    manifest = json.loads((folder / "egrm.json").read_text())
    (folder / "egrm.json").write_text(json.dumps({**manifest, "steps": ";", "aggregation": "minimum"}))
    logits = [*[0.0] * len(IDS), *[LN3] * 8, -LN3, *[LN3] * 3]
    scores = await scored(reply(answer_of(logits)), paths=(PATH,), folder=folder)
    assert scores == pytest.approx([0.25], abs=1e-7)
    async with serving(per_text).running() as server, scorer_of_servers(server, folder=folder) as scorer:
        assert (scorer.calibrated, scorer.step_profile.steps) == (False, ";")
        with pytest.raises(ModelError, match=rf"scores steps; serve it with `egrm serve-model {folder}` \("):
            await scorer.score(QUESTION, [PATH])


def answer_of(logits: list[float]) -> dict[str, Any]:
    return {"data": [{"index": 0, "data": packed(*logits)}]}


@pytest.mark.parametrize(
    ("logits", "error", "message"),
    [
        ([0.0] * 3, ServerError, "cannot be read: ValueError: 19 scores of 12 bytes"),
        ([0.0] * 38, ModelError, "the model that is served has 2 labels, but a scorer has 1"),
    ],
)
async def test_a_malformed_response_for_steps_is_an_error(
    logits: list[float], error: type[EgrmError], message: str
) -> None:
    async with serving(reply(answer_of(logits))).running() as server, scorer_of_servers(server) as scorer:
        with pytest.raises(error, match=message):
            await scorer.score_steps(QUESTION, [PATH], STEPS)


async def test_a_step_with_a_logit_that_is_not_finite_makes_its_path_unscored() -> None:
    logits = [*[0.0] * 18, math.nan]
    async with serving(reply(answer_of(logits))).running() as server, scorer_of_servers(server) as scorer:
        assert await scorer.score_steps(QUESTION, [PATH], STEPS) == [Unscored("the scorer gave nan")]


async def test_the_check_covers_the_steps_of_the_settings() -> None:
    client = ScriptedClient(fast=["56"], name=BUNDLED_MODEL)
    async with serving(per_text).running() as server:
        parts = assemble(Settings(scorer_url=server.url, steps=";"), client=client)
        with pytest.raises(ModelError, match="is not served so that it scores steps"):
            await parts.check()
        await parts.aclose()
