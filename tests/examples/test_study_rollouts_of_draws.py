"""Saved paths become rollouts: the same texts, marked, and without a model call."""

import json
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest
import rollouts_of_draws as study
from rollouts_of_draws import rollouts

from egrm_graph.benchmark.bench_methods import build_methods
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.clients.saved_draws import SavedDraws
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import InputError
from egrm_graph.parts import assemble
from egrm_graph.settings import Settings
from egrm_graph.training.training_data import read_rollouts

QUESTIONS = [BenchQuestion("a", "What is 1+1?", "2", 1), BenchQuestion("b", "What is 3+0?", "3", 1)]
SETTINGS = Settings(engine="vllm", model="tiny", task="answer", scorer=None, path_temperature=0.7)


async def test_the_paths_of_a_benchmark_are_its_rollouts(tmp_path: Path) -> None:
    client = ScriptedClient(paths=[f"So \\boxed{{{answer}}}." for answer in (2, 3, 2)])
    draws, file = tmp_path / "draws", tmp_path / "rollouts.jsonl"
    async with aclosing(SavedDraws(client, draws)) as drawing:
        [always] = build_methods(assemble(SETTINGS, drawing), ["always@3"])
        for question in QUESTIONS:
            await always.answer(question)
    rows = await rollouts(SETTINGS, ScriptedClient(), draws, QUESTIONS, 3)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    read = read_rollouts(file)
    assert [[path.correct for path in each.paths] for each in read] == [[True, False, True], [False, True, False]]
    assert read[0].paths[1].text == "So \\boxed{3}."
    with pytest.raises(InputError, match=r"a: .*not among the saved draws"):
        await rollouts(SETTINGS, ScriptedClient(), draws, QUESTIONS, 4)


def test_a_folder_without_draws_is_an_error(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"question": "What is 1+1?", "reference": "2"}\n', "utf-8")
    options = ["--model", "m", "--draws", str(tmp_path / "draws"), "--output", str(tmp_path / "rollouts.jsonl")]
    done = subprocess.run(
        [sys.executable, study.__file__, str(questions), *options], check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "draws" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "rollouts.jsonl").exists()
