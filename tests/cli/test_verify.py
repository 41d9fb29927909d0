"""`egrm verify` and `egrm ask` as a user runs them: against a server that follows a script."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.fake_server import Action, FakeServer, Seen, disconnect, say, stall

pytestmark = pytest.mark.slow  # each test runs the command line in a process

SURE = say("56", "56", "56", "56")  # the first wave of five
UNSURE = say("1", "2", "3", "4")
QUESTION = {"question": "17+48-9"}
# A shell makes background processes and their children ignore interrupts. These tests need them.
INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
START = "import sys; sys.argv[0] = 'egrm'; from egrm_graph.cli import main; main()"
PROGRAM = [sys.executable, "-c", f"{INTERRUPTIBLE}; {START}"]


@dataclass
class Ended:
    status: int | None
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@asynccontextmanager
async def egrm(*arguments: object, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EGRM_")}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, *map(str, arguments), stdin=pipe, stdout=pipe, stderr=pipe, env=environment | variables
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def ended(process: asyncio.subprocess.Process, standard_input: bytes = b"") -> Ended:
    out, err = await process.communicate(standard_input)
    return Ended(process.returncode, out.decode(), err.decode())


def served(server: FakeServer, *more: object) -> list[object]:
    options = ["--engine", "vllm", "--base-url", server.url, "--model", "egrm-tiny", "--scorer", "none"]
    return [*options, "--preset", "published", *more]  # four fast answers are enough


@asynccontextmanager
async def server_that(*script: Action) -> AsyncIterator[FakeServer]:
    async with FakeServer(*script, served=("egrm-tiny",)).running() as server:
        yield server


def written(file: Path, *lines: object) -> Path:
    file.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return file


async def test_every_line_has_a_result_in_order(tmp_path: Path) -> None:
    source = written(
        tmp_path / "in.jsonl",
        {"id": "a", **QUESTION, "reference": "56"},
        "\n",
        "{broken\n",
        {"id": 7, "question": "who are you"},
        {"messages": [{"role": "user", "content": "17+48-9"}]},
    )
    async with server_that(SURE) as server, egrm("verify", source, *served(server)) as process:
        done = await ended(process)
    assert done.status == 1
    assert [line["id"] for line in done.lines] == ["a", 3, 7, 5]
    assert [line.get("answer") for line in done.lines] == ["56", None, None, "56"]
    assert done.lines[0]["correct"] is True
    assert [line.get("line") for line in done.lines] == [None, 3, 4, None]
    assert "is not a chain of + and -" in done.lines[2]["error"]
    assert "2 direct, 0 reasoned, 0 abstained, 2 bad lines; 24 completion tokens" in done.err


async def test_the_status_is_0_if_every_line_has_an_answer(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", QUESTION)
    async with server_that(SURE) as server, egrm("verify", source, *served(server)) as process:
        assert (await ended(process)).status == 0


async def test_an_abstention_makes_the_status_1(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", QUESTION)
    async with server_that(say(*"????"), say("?")) as server, egrm("verify", source, *served(server)) as process:
        done = await ended(process)
    assert (done.status, done.lines[0]["status"]) == (1, "abstained")


async def test_results_arrive_while_the_input_is_open() -> None:
    async with server_that(SURE) as server, egrm("verify", "-", *served(server)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name in ("first", "second"):
            process.stdin.write(json.dumps({"id": name, **QUESTION}).encode() + b"\n")
            await process.stdin.drain()
            assert json.loads(await process.stdout.readline())["id"] == name
        assert (await ended(process)).status == 0


async def test_resume_asks_only_lines_without_a_result(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", *({"id": name, **QUESTION} for name in "aab"))
    output = tmp_path / "out.jsonl"
    async with server_that(SURE) as server:
        async with egrm("verify", source, *served(server, "--output", output)) as process:
            assert (await ended(process)).status == 0
        complete = output.read_bytes()
        output.write_bytes(complete[: complete.rindex(b'{"id"') + 20])
        async with egrm("verify", source, *served(server, "--output", output, "--resume")) as process:
            assert (await ended(process)).status == 0
        assert len(server.seen) == 4
    assert [json.loads(line)["id"] for line in output.read_text().splitlines()] == ["a", "a", "b"]


async def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    source, output = written(tmp_path / "in.jsonl", QUESTION), written(tmp_path / "out.jsonl", "precious\n")
    async with egrm("verify", source, "--output", output) as process:
        done = await ended(process)
    assert (done.status, output.read_text()) == (2, "precious\n")
    assert "--resume" in done.err
    async with egrm("verify", output, "--output", output, "--overwrite") as process:
        done = await ended(process)
    assert (done.status, output.read_text()) == (2, "precious\n")
    assert "is the input itself" in done.err


async def test_an_interrupted_run_leaves_complete_lines_and_says_how_to_resume(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", *({"id": name, **QUESTION} for name in "abc"))
    output = tmp_path / "out.jsonl"
    arguments = ["--output", output, "--concurrency", 1]
    async with server_that(SURE, stall) as server, egrm("verify", source, *served(server, *arguments)) as process:
        await server.arrived(2)
        process.send_signal(signal.SIGINT)
        done = await ended(process)
        await asyncio.wait_for(server.seen[1].broken_off.wait(), 10)
    assert done.status == 130
    assert "interrupted; run the same command with --resume to continue" in done.err
    assert "Traceback" not in done.err
    assert [json.loads(line)["id"] for line in output.read_text().splitlines()] == ["a"]


async def test_an_interrupt_ends_a_run_that_waits_for_its_input() -> None:
    async with server_that(SURE) as server, egrm("verify", "-", *served(server)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(QUESTION).encode() + b"\n")
        await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 30) == 130


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--model", "other"], "does not serve 'other' but egrm-tiny"),
        (["--base-url", "http://localhost:9/v1", "--attempts", "1"], "no server answers at http://localhost:9/v1"),
    ],
)
async def test_a_missing_server_or_model_is_an_error_before_the_first_line(
    change: list[str], message: str, tmp_path: Path
) -> None:
    source, output = written(tmp_path / "in.jsonl", QUESTION), tmp_path / "out.jsonl"
    async with (
        server_that(SURE) as server,
        egrm("verify", source, *served(server, "--output", output, *change)) as process,
    ):
        done = await ended(process)
    assert (done.status, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert message in done.err
    assert not output.exists()


async def test_a_server_that_dies_ends_the_run_and_it_can_be_resumed(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", *({"id": i, **QUESTION} for i in range(50)))
    output = tmp_path / "out.jsonl"
    gone = asyncio.Event()

    async def die(seen: Seen) -> Any:
        gone.set()
        return await disconnect(seen)

    arguments = ["--output", output, "--concurrency", 1, "--attempts", 2]
    async with AsyncExitStack() as stack:
        async with server_that(SURE, die) as server:
            process = await stack.enter_async_context(egrm("verify", source, *served(server, *arguments)))
            await gone.wait()
        done = await ended(process)
    assert done.status == 2
    assert "no server answers" in done.err
    assert 1 <= len(output.read_text().splitlines()) < 50


async def test_ask_prints_plain_text_without_a_terminal() -> None:
    async with server_that(SURE) as server, egrm("ask", "17+48-9", *served(server)) as process:
        done = await ended(process)
    assert done.status == 0
    assert done.out.startswith("56\nok · direct")
    assert "\x1b" not in done.out
    assert done.err == ""


async def test_ask_can_print_the_verification() -> None:
    async with (
        server_that(UNSURE, say("17+48=65;65-9=56;#56")) as server,
        egrm("ask", "17+48-9", "--json", "--reference", "56", *served(server)) as process,
    ):
        done = await ended(process)
    verification = json.loads(done.out)
    values = (verification["answer"], verification["correct"], verification["route"], len(verification["paths"]))
    assert values == ("56", True, "reasoned", 4)


async def test_ask_without_an_answer_has_the_status_1() -> None:
    async with server_that(say(*"????"), say("?")) as server, egrm("ask", "17+48-9", *served(server)) as process:
        assert (await ended(process)).status == 1


async def test_a_terminal_that_lacks_characters_does_not_stop_it() -> None:
    async with (
        server_that(SURE) as server,
        egrm("ask", "17+48-9", *served(server), PYTHONIOENCODING="ascii") as process,
    ):
        done = await ended(process)
    assert (done.status, done.out.splitlines()[0]) == (0, "56")
