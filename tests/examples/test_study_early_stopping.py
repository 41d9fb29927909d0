"""The counts and times of the stopping rules, with fixed votes and a client that gives them as answers."""

from collections.abc import Sequence

import pytest
from waves_counted import counted, draw_all
from waves_timed import timed

from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.parts import Parts, assemble
from egrm_graph.settings import Settings
from egrm_graph.verification import Message

VOTES = {
    "1+0": "11111",  # direct, after four
    "2+0": "21222",  # direct, after five
    "3+0": "12345",  # reasoned, after three
    "4+0": "44414",  # direct, after five
    "5+0": "55156",  # reasoned, after five: 55155 would be direct
}
QUESTIONS = [BenchQuestion(text, text, text[0], 1) for text in VOTES]


def scripted() -> Parts:
    first: dict[str, int] = {}  # the first seed of each request

    def answer(prompt: Sequence[Message], seed: int, request_id: str) -> str:
        question = next(text for text in VOTES if text in prompt[-1]["content"])
        place = int(request_id.rpartition(".")[2]) + seed - first.setdefault(request_id, seed)
        return VOTES[question][place] if ".answer_fast." in request_id else f"{question}=7;#7"

    return assemble(Settings(preset="published", task="arithmetic"), client=ScriptedClient(answer), scorer=None)


async def test_it_counts_what_each_rule_would_have_drawn() -> None:
    parts = scripted()
    rows = counted(parts, await draw_all(parts, QUESTIONS, 5), 5)
    found = [(row.rule, row.sizes, row.samples.value, row.round_trips, row.changed) for row in rows]
    one_by_one = (1, 1, 1, 1, 1)
    assert found == [
        # 4 + 5 + 3 + 5 + 5 of five questions
        ("decided: the fewest", one_by_one, 22 / 5, 22 / 5, 0),
        ("decided", (5,), 5.0, 1.0, 0),
        ("decided", (4, 1), 23 / 5, 8 / 5, 0),
        ("decided", (3, 1, 1), 22 / 5, 12 / 5, 0),
        ("beta", one_by_one, 24 / 5, 24 / 5, 0),
        ("windows", (5,), 5.0, 1.0, 0),
        # A lead of three: 111, 21222 and 444
        ("sequential", one_by_one, 21 / 5, 21 / 5, 0),
    ]
    assert rows[2].over_fewest.value == pytest.approx(1 / 22)
    assert rows[2].completion_tokens == 23 / 5  # each character counts as a token


async def test_it_times_drawing_and_the_paths_of_questions_that_the_first_wave_leaves_open() -> None:
    parts = scripted()
    rows = await timed(parts, await draw_all(parts, QUESTIONS, 5), 5, 10)
    found = {row.variant: (row.questions, row.requests, row.reasoned) for row in rows}
    assert found == {
        "all, one wave": (5, 1.0, 2),
        "decided, one wave of single requests": (5, 5.0, 2),
        "decided, two waves": (5, 8 / 5, 2),
        "decided, three waves": (5, 12 / 5, 2),
        # Three questions need the second wave, and one of them is reasoned about.
        "paths after the gate": (3, (3 * 2 + 4) / 3, 1),
        "paths started early": (3, 2 + 4.0, 1),
    }
    assert all(0 < row.p50_ms <= row.p95_ms for row in rows)
