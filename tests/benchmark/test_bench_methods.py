from typing import Any

import pytest

from egrm_graph import Settings
from egrm_graph.benchmark.bench_methods import build_methods
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.parts import assemble

QUESTION = BenchQuestion("q", "17+48", "65", 1)


def parts(**settings: Any) -> Any:
    client = ScriptedClient(fast=["65", "65", "65", "66", "66"], paths=["#66", "#66", "#65", "#66"])
    return assemble(Settings(task="arithmetic", **settings), client, scorer=None)


async def outcome(name: str) -> tuple[bool, bool]:
    (method,) = build_methods(parts(), [name])
    made = await method.answer(QUESTION)
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
async def test_a_name_decides_what_the_method_does(name: str, right: bool, escalated: bool) -> None:
    assert await outcome(name) == (right, escalated)


def test_derived_methods_ask_no_model() -> None:
    assert [method.name for method in build_methods(parts(), ["never", "random", "oracle"])] == ["never"]


@pytest.mark.parametrize("name", ["sometimes", "sc", "sc@0", "egrm:", "esc@x"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"unknown method .*; choose from never, always, egrm"):
        build_methods(parts(), [name])


def test_an_unknown_measure_or_rule_is_refused_before_any_question() -> None:
    with pytest.raises(SettingsError, match="unknown measure 'nope'"):
        build_methods(parts(), ["egrm:nope"])
    with pytest.raises(SettingsError, match="stopping"):
        build_methods(parts(), ["egrm+nope"])


@pytest.mark.parametrize("name", ["self-certainty@4", "deepconf@4"])
def test_a_method_that_needs_log_probabilities_is_refused_without_them(name: str) -> None:
    with pytest.raises(SettingsError, match="needs log-probabilities, but scripted gives none"):
        build_methods(parts(), [name])
