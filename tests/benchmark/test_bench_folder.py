import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from pydantic import SecretStr

from egrm_graph import Settings
from egrm_graph.benchmark.bench_folder import Folder, Planned, Result, Run, read_results, setup_of
from egrm_graph.benchmark.demo_methods import Outcome, Strategy
from egrm_graph.benchmark.held_out import Question
from egrm_graph.errors import InputError

QUESTIONS = [Question(f"q{i}", f"{i}+1", str(i + 1), 1) for i in range(3)]


def strategy(name: str, asked: list[str], *, fails_at: str = "", error: Exception | None = None) -> Strategy:
    async def answer(question: Question) -> Outcome:
        if question.id == fails_at and error is not None:
            raise error
        asked.append(f"{name} {question.id}")
        return Outcome(right=True, completion_tokens=7, escalated=False, status="ok", cancelled_tokens=1)

    return Strategy(name, answer)


def ignored(name: str, more: int) -> None:
    """What the progress bar would show."""


async def planned(
    folder: Path, *strategies: Strategy, resume: bool = False, told: Callable[[str, int], None] = ignored
) -> Run:
    where = Folder(folder)
    done = where.start(setup_of(Settings(), QUESTIONS), resume=resume, overwrite=False)
    return await Planned(QUESTIONS, where, done, concurrency=1).run(strategies, told)


async def test_every_result_is_kept_as_it_comes(tmp_path: Path) -> None:
    results = (await planned(tmp_path, strategy("never", []), strategy("always", []))).results
    assert read_results(tmp_path / "results.jsonl") == results
    assert [(each.strategy, each.id) for each in results][:4] == [
        ("never", "q0"),
        ("never", "q1"),
        ("never", "q2"),
        ("always", "q0"),
    ]
    assert (results[0].completion_tokens, results[0].cancelled_tokens, results[0].status) == (7, 1, "ok")
    assert results[0].seconds >= 0


async def test_a_run_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    broken = strategy("always", [], fails_at="q1", error=RuntimeError("killed"))
    with pytest.raises(RuntimeError, match="killed"):
        await planned(tmp_path, strategy("never", []), broken)
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"strategy": "always", "id": "q1", "rig')  # what a kill leaves of a line
    asked: list[str] = []
    steps: list[tuple[str, int]] = []
    run = await planned(
        tmp_path,
        strategy("never", asked),
        strategy("always", asked),
        resume=True,
        told=lambda name, more: steps.append((name, more)),
    )
    assert asked == ["always q1", "always q2"]
    assert steps == [("never", 3), ("always", 1), ("always", 1), ("always", 1)]
    assert len(run.results) == len(read_results(tmp_path / "results.jsonl")) == 6


async def test_a_question_that_cannot_be_asked_counts_nowhere_and_costs_no_other(tmp_path: Path) -> None:
    run = await planned(tmp_path, strategy("never", [], fails_at="q1", error=InputError("no sum")))
    assert run.lost == {"q1": "no sum"}
    assert [result.id for result in run.results] == ["q0", "q2"]


async def test_results_that_are_there_are_not_lost_by_mistake(tmp_path: Path) -> None:
    await planned(tmp_path, strategy("never", []))
    with pytest.raises(InputError, match="is there already; go on with it by --resume"):
        await planned(tmp_path, strategy("never", []))


async def test_results_of_other_questions_or_settings_are_not_gone_on_with(tmp_path: Path) -> None:
    await planned(tmp_path, strategy("never", []))
    with pytest.raises(InputError, match="holds results with other questions, questions_sha256"):
        Folder(tmp_path).start(setup_of(Settings(), QUESTIONS[:2]), resume=True, overwrite=False)
    with pytest.raises(InputError, match="holds results with other settings"):
        Folder(tmp_path).start(setup_of(Settings(paths=5), QUESTIONS), resume=True, overwrite=False)


def test_where_the_server_is_makes_no_other_benchmark() -> None:
    here, there = (Settings(engine="vllm", model="name", base_url=(f"http://{host}/v1",)) for host in ("a", "b"))
    assert setup_of(here, QUESTIONS) == setup_of(there, QUESTIONS)
    assert "api_key" not in json.dumps(setup_of(Settings(api_key=SecretStr("secret")), QUESTIONS))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    result = Result("never", "q", True, 1, 0, False, "ok", 0.1)
    file = tmp_path / "results.jsonl"
    file.write_text(json.dumps(asdict(result)) + "\n" + '{"id": 1}\n')
    with pytest.raises(InputError, match="holds other things than results"):
        read_results(file)
