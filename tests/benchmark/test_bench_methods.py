from typing import Any

import pytest

from egrm_graph import Settings
from egrm_graph.benchmark.bench_methods import strategies_named
from egrm_graph.benchmark.held_out import Question
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.parts import assemble

QUESTION = Question("q", "17+48", "65", 1)


def parts(**settings: Any) -> Any:
    client = ScriptedClient(fast=["65", "65", "65", "66", "66"], paths=["#66", "#66", "#65", "#66"])
    return assemble(Settings(task="arithmetic", **settings), client, scorer=None)


async def outcome(name: str) -> tuple[bool, bool]:
    (strategy,) = strategies_named(parts(), [name])
    made = await strategy.answer(QUESTION)
    return made.right, made.escalated


@pytest.mark.parametrize(
    ("name", "right", "escalated"),
    [
        ("never", True, False),
        ("always", False, True),
        ("egrm", False, True),
        ("egrm:consensus=0.6", True, False),
        ("egrm:vote_entropy=0.5", True, False),
        ("egrm@3+all", True, False),
        ("sc@4", False, True),
    ],
)
async def test_a_name_says_what_is_done(name: str, right: bool, escalated: bool) -> None:
    assert await outcome(name) == (right, escalated)


def test_what_is_worked_out_asks_no_model() -> None:
    assert [each.name for each in strategies_named(parts(), ["never", "random", "oracle"])] == ["never"]


@pytest.mark.parametrize("name", ["sometimes", "sc", "sc@0", "egrm:", "esc@x"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="there is no strategy"):
        strategies_named(parts(), [name])


def test_an_unknown_measure_or_rule_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(SettingsError, match="unknown measure 'nope'"):
        strategies_named(parts(), ["egrm:nope"])
    with pytest.raises(SettingsError, match="stopping"):
        strategies_named(parts(), ["egrm+nope"])


@pytest.mark.parametrize("name", ["self-certainty@4", "deepconf@4"])
def test_what_needs_log_probabilities_is_refused_where_there_are_none(name: str) -> None:
    with pytest.raises(SettingsError, match="needs log-probabilities, and scripted gives none"):
        strategies_named(parts(), [name])
