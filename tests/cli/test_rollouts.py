"""`egrm rollouts` as a user runs it: against a server that follows a script, and killed halfway."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from aiohttp import web
from typer.testing import CliRunner

from egrm_graph.cli import app
from egrm_graph.cli.answering import LineResult
from egrm_graph.cli.json_lines import Line
from egrm_graph.cli.run_progress import RolloutCounts
from egrm_graph.training.parquet import read_parquet
from egrm_graph.training.roll_out import PathRow, RolloutRow
from egrm_graph.training.step_labels import step_row
from egrm_graph.training.training_data import read_rollouts
from tests.cli.test_verify import egrm, ended, served, server_that, written
from tests.clients.fake_server import Seen, answer, stall

pytestmark = pytest.mark.slow  # each test runs the command line in a process

RIGHT, WRONG = "17+40=57;57+8=65;65-9=56;#56", "17+40=57;57+8=66;66-9=57;#57"
QUESTION = {"question": "17+48-9", "reference": "56"}


async def by_seed(seen: Seen) -> web.StreamResponse:
    """Return the same path for the same seed, each token with a probability of one half."""
    text = RIGHT if seen.body["seed"] % 3 else WRONG
    token = {"token": "x", "logprob": -0.6931, "top_logprobs": [{"token": "x", "logprob": -0.6931}]}
    body = answer(text)
    body["choices"][0]["logprobs"] = {"content": [token] * (len(text) + 1)}
    return web.json_response(body)


async def test_every_line_gets_its_paths_marked(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", {"id": "a", "level": 2, **QUESTION}, "{broken\n", {"question": "1+1"})
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, "--paths", 3, "--concurrency", 1)) as process,
    ):
        done = await ended(process)
    first, broken, without = done.lines
    assert (first["id"], first["level"], first["reference"]) == ("a", 2, "56")
    assert sorted(path["correct"] for path in first["paths"]) == [False, True, True]
    assert {path["min_logprob"] for path in first["paths"]} == {-0.6931}
    assert first["paths"][0]["logprob"] == round(-0.6931 * (len(RIGHT) + 1), 4)
    assert "not JSON" in broken["error"]
    assert "no 'reference'" in without["error"]
    assert done.status == 1
    assert "3 questions, 3 paths, 2 of them right, 2 bad lines; 87 completion tokens in 3 requests" in done.err
    assert (first["requests"], first["completion_tokens"]) == (3, 3 * (len(RIGHT) + 1))
    assert "steps" not in first["paths"][0]


async def test_a_killed_and_resumed_run_draws_nothing_twice_and_writes_the_same_file(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", *({"id": i, **QUESTION, "question": f"{i}+56-{i}"} for i in range(1, 25)))
    full, cut = tmp_path / "full.jsonl", tmp_path / "cut.jsonl"
    options = ["--paths", 2, "--concurrency", 4]
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, "--output", full, *options)) as process,
    ):
        assert (await ended(process)).status == 0
        assert len(server.seen) == 48
    # The paths of the first question hang. Later questions finish before it, and must not be lost with it.
    async with (
        server_that(stall, stall, *[by_seed] * 20, stall) as server,
        egrm("rollouts", source, *served(server, "--output", cut, *options)) as process,
    ):
        await server.arrived(23)
        async with asyncio.timeout(10):
            while not cut.exists() or cut.read_bytes().count(b"\n") < 10:
                await asyncio.sleep(0.01)
        process.kill()
        await process.wait()
    saved = {json.loads(line)["id"] for line in cut.read_text().splitlines()}
    assert len(saved) == 10
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, "--output", cut, "--resume", *options)) as process,
    ):
        assert (await ended(process)).status == 0
        assert len(server.seen) == 48 - 20
    assert cut.read_bytes() == full.read_bytes()


async def test_a_repeated_id_is_an_error(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", {"id": "a", **QUESTION}, {"id": "a", **QUESTION})
    output = tmp_path / "out.jsonl"
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, "--paths", 2, "--output", output)) as process,
    ):
        assert (await ended(process)).status == 1
    assert [json.loads(line).get("error") for line in output.read_text().splitlines()] == [
        None,
        "the id 'a' was used before; give each line its own",
    ]


async def test_parquet_is_written_at_the_end_and_reads_like_the_lines(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", {"id": "a", "level": 2, **QUESTION}, {"id": "b", "question": "1+1"})
    lines, table = tmp_path / "out.jsonl", tmp_path / "out.parquet"
    for output in (lines, table):
        async with (
            server_that(by_seed) as server,
            egrm("rollouts", source, *served(server, "--paths", 3, "--output", output)) as process,
        ):
            assert (await ended(process)).status == 1  # the second line has no reference
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl", "out.parquet"]
    assert len(read_rollouts(table)) == 1
    assert read_rollouts(table) == read_rollouts(lines)
    assert "no 'reference'" in read_parquet(table)[1]["error"]


async def test_a_killed_run_to_parquet_resumes_where_it_was(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", {"id": 1, **QUESTION}, {"id": 2, **QUESTION, "question": "2+56-2"})
    output = tmp_path / "out.parquet"
    options = ["--paths", 1, "--concurrency", 1, "--output", output]
    async with server_that(by_seed, stall) as server, egrm("rollouts", source, *served(server, *options)) as process:
        await server.arrived(2)
        process.kill()
        await process.wait()
    assert not output.exists()
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, *options, "--resume")) as process,
    ):
        assert (await ended(process)).status == 0
        assert len(server.seen) == 1
    assert [rollout.id for rollout in read_rollouts(output)] == [1, 2]
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, *options, "--resume")) as process,
    ):
        done = await ended(process)
    assert (done.status, server.seen) == (2, [])
    assert "complete" in done.err


async def test_no_scorer_is_used_even_if_one_is_served(tmp_path: Path) -> None:
    source, output = written(tmp_path / "in.jsonl", QUESTION), tmp_path / "out.jsonl"
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, "--output", output, "--scorer-url", server.url)) as process,
    ):
        assert (await ended(process)).status == 0


async def test_resuming_with_another_number_of_paths_is_an_error(tmp_path: Path) -> None:
    source, output = written(tmp_path / "in.jsonl", {"id": 1, **QUESTION}), tmp_path / "out.jsonl"
    for paths, more in ((2, []), (3, ["--resume"])):
        async with (
            server_that(by_seed) as server,
            egrm("rollouts", source, *served(server, "--output", output, "--paths", paths, *more)) as process,
        ):
            done = await ended(process)
    assert (done.status, server.seen) == (2, [])
    assert "line 1 of" in done.err
    assert "has 2 paths, and --paths is 3; resume with --paths 2" in done.err


async def test_the_fragments_of_a_tree_are_labeled(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", {"id": 1, "question": "86-27+45-38", "reference": "66"})
    output = tmp_path / "out.parquet"
    tree = ["--strategy", "entropy_tree", "--anchor-entropy", 0.01, "--paths", 3]
    async with egrm("rollouts", source, "--output", output, *tree) as process:
        done = await ended(process)
    assert done.status == 0, done.err
    [rollout] = read_rollouts(output)
    assert rollout.requests == 3
    assert [path.steps[-1].end for path in rollout.paths] == [len(path.text) for path in rollout.paths]
    assert rollout.paths[0].steps[0].leaves == len(rollout.paths) == 3
    assert rollout.paths[2].steps[-1].leaves == 1
    assert "labeled steps, mean value" in done.err


async def test_fixed_steps_are_labeled_by_completions(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", {"id": 1, "question": "86-27+45-38", "reference": "66"})
    output = tmp_path / "out.jsonl"
    async with egrm("rollouts", source, "--output", output, "--step-end", ";", "--completions", 2) as process:
        done = await ended(process)
    assert done.status == 0, done.err
    [rollout] = read_rollouts(output)
    [path] = rollout.paths
    assert [path.text[: step.end][-1] for step in path.steps[:-1]] == [";"] * path.text.count(";")
    assert [step.leaves for step in path.steps] == [2] * path.text.count(";") + [1]
    assert rollout.requests == len(path.steps)


def row(*paths: list[tuple[list[bool], list[float]]]) -> RolloutRow:
    """A row with these labeled paths: the leaves of each step, and their weights."""
    found = [
        PathRow(
            text="123",
            answer=None,
            correct=False,
            n_tokens=4,
            logprob=None,
            min_logprob=None,
            steps=[step_row(end + 1, *step) for end, step in enumerate(steps)],
        )
        for steps in paths
    ]
    return RolloutRow(
        question="1",
        reference="2",
        level=None,
        paths=found,
        lost=0,
        reasons=[],
        requests=700,
        completion_tokens=1500,
    )


def test_the_summary_has_the_cost_and_the_labels() -> None:
    counts = RolloutCounts()
    counts.add(LineResult(Line(1, 1, {}), row([([True, False], [0.9, 0.1]), ([True], [0.9])], [([False], [0.1])])))
    counts.add(LineResult(Line(2, 2, {}), row([([False, True], [0.9, 0.1])])))
    assert counts.summary() == (
        "2 questions, 3 paths, 0 of them right; 3,000 completion tokens in 1,400 requests; "
        "4 labeled steps, mean value 0.500, mean share 0.500, 50% of the shares 0 or 1"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--completions", "2"], "nothing says where steps end; add --step-end, such as --step-end lines"),
        (["--steps", "lines"], "to label steps, use --step-end, or leave --steps out"),
        (["--step-end", "("], "is neither one of lines, sentences nor a regular expression"),
        (["--step-end", "lines", "--strategy", "entropy_tree"], "cuts independent paths"),
        (["--step-end", "lines", "--paths", "1", "--path-temperature", "0"], "decodes the same text every time"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_a_model_is_loaded(
    tmp_path: Path, options: list[str], message: str
) -> None:
    source = written(tmp_path / "in.jsonl", QUESTION)
    done = CliRunner().invoke(app, ["rollouts", str(source), *options])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


@pytest.mark.parametrize("options", [["--step-end", ";"], ["--strategy", "entropy_tree"]])
async def test_a_server_that_cannot_continue_tokens_is_refused(tmp_path: Path, options: list[str]) -> None:
    source = written(tmp_path / "in.jsonl", QUESTION)
    async with (
        server_that(by_seed) as server,
        egrm("rollouts", source, *served(server, *options, "--engine", "openai")) as process,
    ):
        done = await ended(process)
    assert (done.status, server.seen) == (2, [])
    assert "continues paths from token ids" in done.err


@pytest.mark.parametrize(
    ("line", "options", "message"),
    [
        ([], ["--step-end", ";"], "line 1 of .* has no labeled steps; resume with the options"),
        ([step_row(3, [True])], [], "line 1 of .* has labeled steps; resume with the options"),
        ([step_row(3, [True])], ["--step-end", ";", "--paths", "2"], "has 1 paths, and --paths is 2"),
    ],
)
def test_resuming_with_other_labels_is_an_error(
    tmp_path: Path, line: list[object], options: list[str], message: str
) -> None:
    source, output = written(tmp_path / "in.jsonl", {"id": 1, **QUESTION}), tmp_path / "out.jsonl"
    path = {"text": "123", "answer": None, "correct": False, **({"steps": line} if line else {})}
    written(output, {"id": 1, **QUESTION, "paths": [path], "lost": 0})
    done = CliRunner().invoke(
        app, ["rollouts", str(source), "--output", str(output), "--resume", "--paths", "1", *options]
    )
    assert done.exit_code == 2
    assert re.search(message, " ".join(done.output.split()))
