from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from egrm_graph import Settings
from egrm_graph.benchmark.bench_methods import build_methods
from egrm_graph.benchmark.demo_methods import Outcome, Texts
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.clients.saved_draws import SavedDraws
from egrm_graph.clients.scripted import Fail, ScriptedClient
from egrm_graph.drawing.samples import seeds
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.parts import assemble
from egrm_graph.verification import Message

QUESTION = BenchQuestion("q", "17+48", "65", 1)


def parts(**settings: Any) -> Any:
    client = ScriptedClient(fast=["65", "65", "65", "66", "66"], paths=["#66", "#66", "#65", "#66"])
    return assemble(Settings(preset="published", task="arithmetic", **settings), client, scorer=None)


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
        ("any@2", False, True),
        ("any@3", True, True),
        ("always@1", False, True),
        ("always[paths=3]", False, True),
        ("egrm[threshold=0.6]", True, False),
        ("egrm@3[stopping=all]", True, False),
        ("egrm@3+all[ threshold = none ]", True, False),
        ("sc@4[path_temperature=0.5]", False, True),
    ],
)
async def test_a_name_decides_what_the_method_does(name: str, right: bool, escalated: bool) -> None:
    assert await outcome(name) == (right, escalated)


def test_derived_methods_ask_no_model() -> None:
    assert [method.name for method in build_methods(parts(), ["never", "random", "oracle"])] == ["never"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("egrm[path=8]", "there is no setting 'path'; did you mean 'paths'?"),
        ("egrm[paths=0]", "paths='0'"),
        ("egrm[measure=nope]", "unknown measure 'nope'"),
        ("egrm[engine=vllm]", "there is no setting 'engine'"),
        (
            "egrm[paths]",
            "the settings 'paths' cannot be read; write them as paths=8,selection=best_score",
        ),
        ("egrm[paths=8", r"the method 'egrm\[paths=8' has no closing bracket at its end"),
        ("egrm[paths=8]x", "has no closing bracket at its end"),
        ("egrm[paths=8,paths=4]", "the settings 'paths=8,paths=4' have two values of paths"),
        ("egrm[]", "cannot be read"),
        (
            "egrm@3[samples=5]",
            r"the method 'egrm@3\[samples=5\]' has two values of samples; leave out the one in brackets",
        ),
        ("always@2[paths=5]", "has two values of paths"),
        ("random[paths=8]", r"the method 'random\[paths=8\]' is derived from others and takes no settings"),
    ],
)
def test_settings_that_do_not_fit_are_refused(name: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        build_methods(parts(), [name])


async def test_settings_in_a_name_reach_the_model_and_the_others_stay() -> None:
    made = parts(fast_temperature=0.9)
    for method in build_methods(made, ["egrm[path_temperature=0.5,paths=2]", "always@3", "sc@1[path_max_tokens=9]"]):
        await method.answer(QUESTION)
    sampled = [(call.sampling.temperature, call.sampling.max_tokens) for call in made.client.calls]
    fast = [each for each in sampled if each == (0.9, 64)]
    assert len(fast) == 2
    sampled = sampled[len(fast) :]
    assert sampled == [*[(0.5, 2048)] * 2, *[(1.0, 2048)] * 3, (1.0, 9)]


async def test_texts_without_an_answer_are_counted_and_lost_ones_are_not() -> None:
    client = ScriptedClient(fast=["65", "??", "??", Fail("lost"), "66"], paths=["#66", "??", Fail("lost")])
    made = assemble(Settings(preset="published", task="arithmetic", paths=3), client, scorer=None)
    counts = {}
    for method in build_methods(made, ["egrm", "always", "sc@3"]):
        outcome = await method.answer(QUESTION)
        counts[method.name] = (outcome.fast_answers, outcome.paths)
    assert counts == {
        "egrm": (Texts(3, 2), Texts(2, 1)),
        "always": (Texts(), Texts(2, 1)),
        "sc@3": (Texts(), Texts(2, 1)),
    }


METHODS_ON_DRAWS = ["never", "always", "egrm", "egrm@3[paths=2]", "sc@4", "any@4", "adaptive", "always@2"]


def parts_by_seed() -> Any:
    """Like `parts`, with answers that depend on the seed and not on the call that draws it."""
    script = {"answer_fast": ["65", "65", "65", "66", "66"], "expand_cot": ["#66", "#66", "#65", "#66"]}
    key = parts().task.ask(QUESTION.input, Settings())["key"]
    first = {node: seeds(0, node, key, 1)[0] for node in script}

    def answer(prompt: Sequence[Message], seed: int, request_id: str) -> str:
        node = request_id.split(".")[1]
        return script[node][(seed - first[node]) % len(script[node])]

    return assemble(Settings(preset="published", task="arithmetic"), ScriptedClient(answer), scorer=None)


async def outcomes(made: Any, names: list[str]) -> list[Outcome]:
    built = build_methods(made, names)
    found = [await method.answer(QUESTION) for method in built]
    return [replace(outcome, verification=None) for outcome in found]


async def test_methods_on_saved_draws_decide_like_live_ones_and_draw_once(tmp_path: Path) -> None:
    """`adaptive` needs the most paths: eight against two give 1 - 67/2048 = 0.967, and seven against two 0.945."""
    live = parts_by_seed()
    expected = await outcomes(live, METHODS_ON_DRAWS)
    made = parts_by_seed()
    async with aclosing(SavedDraws(made.client, tmp_path)) as saved:
        assert await outcomes(replace(made, client=saved), METHODS_ON_DRAWS) == expected
        drawn = [seed for call in made.client.calls for seed in call.seeds]
        assert len(drawn) == len(set(drawn)) == 5 + 10
    unasked = parts_by_seed()
    async with aclosing(SavedDraws(unasked.client, tmp_path, ask=False)) as saved:
        assert await outcomes(replace(unasked, client=saved), METHODS_ON_DRAWS) == expected
    assert unasked.client.calls == []


@pytest.mark.parametrize("name", ["never", "always", "egrm", "sc@4", "adaptive"])
async def test_a_question_that_needs_what_was_not_drawn_has_no_outcome(tmp_path: Path, name: str) -> None:
    made = parts()
    async with aclosing(SavedDraws(made.client, tmp_path)) as saved:
        await outcomes(replace(made, client=saved), ["sc@1"])
    async with aclosing(SavedDraws(made.client, tmp_path, ask=False)) as saved:
        with pytest.raises(InputError, match="not among the saved draws in"):
            await outcomes(replace(made, client=saved), [name])


@pytest.mark.parametrize(
    ("settings", "name", "message"),
    [({"deadline_s": 2}, "egrm", "deadline_s=2.0"), ({}, "never[max_completion_tokens=9]", "max_completion_tokens=9")],
)
async def test_limits_do_not_apply_to_saved_draws(
    tmp_path: Path, settings: dict[str, Any], name: str, message: str
) -> None:
    made = parts(**settings)
    async with aclosing(SavedDraws(made.client, tmp_path)) as saved:
        with pytest.raises(SettingsError, match=f"{message} does not apply to saved draws; leave it out"):
            build_methods(replace(made, client=saved), [name])


@pytest.mark.parametrize("name", ["sometimes", "sc", "sc@0", "egrm:", "esc@x"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"unknown method .*; choose from never, always, always@N, until@N, egrm"):
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
