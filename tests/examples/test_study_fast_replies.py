"""The figures of ways to ask for fast answers, with scripted answers and with the bundled model."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import fast_replies
import pytest
from fast_replies import measured, ways_of

from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.parts import Parts, assemble
from egrm_graph.settings import Settings
from egrm_graph.verification import Message

ANSWERS: dict[str, list[Item]] = {
    "1+0": ["1", "1", "1", "1", "?"],  # opens, right
    "2+0": ["7", "7", "7", "7", "7"],  # opens, wrong
    "3+0": ["3", "3", "3", "?", Fail("lost")],  # right, and the gate stays closed
    "4+0": ["?", "?", "?", "?", "?"],  # nothing to read
}
QUESTIONS = [BenchQuestion(text, text, text[0], 1) for text in ANSWERS]


def scripted() -> Parts:
    first: dict[str, int] = {}  # the first seed of each question

    def answer(prompt: Sequence[Message], seed: int, request_id: str) -> Item:
        assert ".answer_fast." in request_id
        question = next(text for text in ANSWERS if text in prompt[-1]["content"])
        return ANSWERS[question][seed - first.setdefault(question, seed)]

    return assemble(Settings(preset="published", task="arithmetic"), ScriptedClient(answer), scorer=None)


async def test_a_way_has_its_shares_and_tokens() -> None:
    found = await measured(scripted(), "fast_temperature=0.5", QUESTIONS, concurrency=2)
    assert found.unreadable is not None
    assert found.tokens is not None
    assert found.right_if_opened is not None
    assert (found.questions, found.lost, found.unreadable.value, found.tokens.value) == (4, 1, 7 / 19, 1.0)
    assert (found.majority_right.value, found.opened.value, found.right_if_opened.value) == (0.5, 0.5, 0.5)


async def test_all_fast_answers_are_drawn_with_the_settings_of_the_way() -> None:
    parts = scripted()
    await measured(parts, "fast_temperature=0.5,fast_top_k=20,samples=3", QUESTIONS[1:2], concurrency=1)
    (call,) = parts.client.calls  # type: ignore[attr-defined] # of a scripted client
    assert (len(call.seeds), call.sampling.temperature, call.sampling.top_k) == (3, 0.5, 20)


async def test_a_setting_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(SettingsError, match="there is no setting 'fast_size'"):
        await measured(scripted(), "fast_size=3", QUESTIONS, concurrency=1)


def test_each_form_is_asked_for_with_both_samplings() -> None:
    assert ways_of("fast_top_k=20") == [
        "fast_reply=free,fast_temperature=1",
        "fast_reply=free,fast_top_k=20",
        "fast_reply=structured,fast_temperature=1",
        "fast_reply=structured,fast_top_k=20",
        "fast_reply=continued,fast_temperature=1",
        "fast_reply=continued,fast_top_k=20",
    ]
    assert len(ways_of("")) == 3


def study(*options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(fast_replies.__file__), "held-out", "--sample", "10", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_bundled_model_is_asked_once_and_saved_draws_give_the_same_table(tmp_path: Path) -> None:
    draws = ["--draws", tmp_path / "draws", "--way", "fast_temperature=1", "--way", "fast_top_p=0.9"]
    first = study(*draws, "--json", tmp_path / "first.json")
    assert first.returncode == 0, first.stderr
    again = study(*draws, "--draws-only")
    assert (again.returncode, again.stdout) == (0, first.stdout)
    rows = json.loads((tmp_path / "first.json").read_text())
    assert [(row["way"], row["questions"], row["lost"]) for row in rows] == [
        ("fast_temperature=1", 10, 0),
        ("fast_top_p=0.9", 10, 0),
    ]
    assert all(row["majority_right"]["value"] > 0.5 for row in rows)
    undrawn = study(*draws[:2], "--draws-only", "--way", "fast_temperature=0.5")
    assert undrawn.returncode == 1
    assert "not among the saved draws" in undrawn.stderr
