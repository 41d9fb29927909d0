import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from pydantic import SecretStr

from egrm_graph import Settings
from egrm_graph.benchmark.bench_folder import BenchFolder, BenchPlan, BenchRun, MethodResult, read_results, setup_of
from egrm_graph.benchmark.demo_methods import Method, Outcome, Texts
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.errors import InputError

QUESTIONS = [BenchQuestion(f"q{i}", f"{i}+1", str(i + 1), 1) for i in range(3)]


def method(name: str, asked: list[str], *, fails_at: str = "", error: Exception | None = None) -> Method:
    async def answer(question: BenchQuestion) -> Outcome:
        if question.id == fails_at and error is not None:
            raise error
        asked.append(f"{name} {question.id}")
        return Outcome(
            right=True,
            completion_tokens=7,
            escalated=False,
            status="ok",
            cancelled_tokens=1,
            fast_answers=Texts(5, 2),
            paths=Texts(4, 1),
        )

    return Method(name, answer)


def ignored(name: str, more: int) -> None:
    """What the progress bar would display."""


async def run(
    folder: Path, *methods: Method, resume: bool = False, advance: Callable[[str, int], None] = ignored
) -> BenchRun:
    bench_folder = BenchFolder(folder)
    done = bench_folder.start(setup_of(Settings(), QUESTIONS), resume=resume, overwrite=False)
    return await BenchPlan(QUESTIONS, bench_folder, done, concurrency=1).run(methods, advance)


async def test_every_result_is_saved(tmp_path: Path) -> None:
    results = (await run(tmp_path, method("never", []), method("always", []))).results
    assert read_results(tmp_path / "results.jsonl") == results
    assert [(result.method, result.id) for result in results][:4] == [
        ("never", "q0"),
        ("never", "q1"),
        ("never", "q2"),
        ("always", "q0"),
    ]
    assert (results[0].completion_tokens, results[0].cancelled_tokens, results[0].status) == (7, 1, "ok")
    assert (results[0].fast_answers, results[0].unreadable_fast) == (5, 2)
    assert (results[0].paths, results[0].unreadable_paths) == (4, 1)
    assert results[0].seconds is not None
    assert results[0].seconds >= 0


async def test_an_untimed_run_has_no_seconds(tmp_path: Path) -> None:
    folder = BenchFolder(tmp_path)
    folder.start(setup_of(Settings(), QUESTIONS, timed=False), resume=False, overwrite=False)
    run = await BenchPlan(QUESTIONS, folder, [], concurrency=1, timed=False).run([method("never", [])], ignored)
    assert [result.seconds for result in run.results] == [None, None, None]
    with pytest.raises(InputError, match="have other timed"):
        folder.start(setup_of(Settings(), QUESTIONS), resume=True, overwrite=False)


async def test_a_killed_run_resumes_where_it_was(tmp_path: Path) -> None:
    broken = method("always", [], fails_at="q1", error=RuntimeError("killed"))
    with pytest.raises(RuntimeError, match="killed"):
        await run(tmp_path, method("never", []), broken)
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"method": "always", "id": "q1", "rig')  # a line that the kill cut off
    asked: list[str] = []
    steps: list[tuple[str, int]] = []
    result = await run(
        tmp_path,
        method("never", asked),
        method("always", asked),
        resume=True,
        advance=lambda name, more: steps.append((name, more)),
    )
    assert asked == ["always q1", "always q2"]
    assert steps == [("never", 3), ("always", 1), ("always", 1), ("always", 1)]
    assert len(result.results) == len(read_results(tmp_path / "results.jsonl")) == 6


async def test_a_question_that_cannot_be_asked_has_no_result_and_the_others_have_theirs(tmp_path: Path) -> None:
    result = await run(tmp_path, method("never", [], fails_at="q1", error=InputError("no sum")))
    assert result.lost == {"q1": "no sum"}
    assert [one.id for one in result.results] == ["q0", "q2"]


async def test_existing_results_are_not_overwritten_by_mistake(tmp_path: Path) -> None:
    await run(tmp_path, method("never", []))
    with pytest.raises(InputError, match="exists; continue it with --resume"):
        await run(tmp_path, method("never", []))


async def test_a_run_with_other_questions_or_settings_cannot_resume(tmp_path: Path) -> None:
    await run(tmp_path, method("never", []))
    with pytest.raises(InputError, match="have other questions, questions_sha256"):
        BenchFolder(tmp_path).start(setup_of(Settings(), QUESTIONS[:2]), resume=True, overwrite=False)
    with pytest.raises(InputError, match="have other settings"):
        BenchFolder(tmp_path).start(setup_of(Settings(paths=5), QUESTIONS), resume=True, overwrite=False)


def test_the_address_of_the_server_does_not_change_the_benchmark() -> None:
    here, there = (Settings(engine="vllm", model="name", base_url=(f"http://{host}/v1",)) for host in ("a", "b"))
    assert setup_of(here, QUESTIONS) == setup_of(there, QUESTIONS)
    assert "api_key" not in json.dumps(setup_of(Settings(api_key=SecretStr("secret")), QUESTIONS))


def test_a_file_of_something_else_is_an_error(tmp_path: Path) -> None:
    result = MethodResult("never", "q", True, 1, 0, False, "ok", 0.1, 5, 0, 0, 0)
    file = tmp_path / "results.jsonl"
    file.write_text(json.dumps(asdict(result)) + "\n" + '{"id": 1}\n')
    with pytest.raises(InputError, match="has lines that are not results"):
        read_results(file)
