"""The extensions that `build_graph` accepts, and those it refuses at build time."""

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import pytest

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.strategies.strategy import Known, PathCall, PathInView
from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.stopping import Standing

PATHS = ["17+40=57;57+8=65;#65", "17+40=57;57+8=66;#66", "17+40=57;57+8=65;#65", "17+40=57;57+8=65;#65"]


def top_share(evidence: Evidence) -> float:
    return evidence.votes.counts[0] / evidence.votes.total


def two_votes(standing: Standing) -> bool:
    return len(standing.classes) >= 2


def last_path(classes: Sequence[int], scores: Sequence[float]) -> int:
    return len(scores) - 1


def run(fast: Sequence[str], settings: dict[str, Any], **parts: Any) -> Any:
    client = ScriptedClient(fast=fast, paths=PATHS)
    graph = build_graph(Settings(task="arithmetic", **settings), client=client, scorer=None, **parts)
    return graph.invoke({"question": "17+48"})["verification"]


def test_a_function_can_be_a_measure() -> None:
    settings = {"measure": "top_share", "threshold": 0.6, "stopping": "all"}
    result = run(["65", "65", "65", "66", "67"], settings, measures=[top_share])
    assert (result["route"], result["uncertainty"]["measure"], result["uncertainty"]["value"]) == (
        "direct",
        "top_share",
        0.6,
    )


def test_a_function_can_be_a_stopping_rule() -> None:
    settings = {"stopping": "two_votes", "single_requests": True}
    result = run(["65", "65", "66", "66", "66"], settings, stopping_rules=[two_votes])
    assert [sample["answer"] for sample in result["samples"]] == ["65", "65"]
    assert result["answer"] == "65"


async def test_a_function_can_be_a_selection_rule() -> None:
    class Scores:
        name, calibrated = "scores", False

        async def score(self, question: str, paths: Sequence[str]) -> list[float]:
            return [0.9] + [0.1] * (len(paths) - 1)

        async def aclose(self) -> None: ...

    client = ScriptedClient(fast=["1", "2", "3", "4", "5"], paths=PATHS[:2] * 2)
    graph = build_graph(
        Settings(task="arithmetic", selection="last_path"),
        client=client,
        scorer=Scores(),  # type: ignore[arg-type] # it returns only floats
        selection_rules=[last_path],
    )
    result = (await graph.ainvoke({"question": "17+48"}))["verification"]
    assert (result["answer"], result["best_path"]) == ("66", 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"task": "rank"}, "unknown task 'rank'; known tasks are answer, arithmetic, pairwise"),
        ({"strategy": "tree"}, "unknown path strategy 'tree'; known are plain"),
        ({"measure": "entropy"}, "unknown measure 'entropy'; known are consensus, vote_entropy"),
        ({"stopping": "soon"}, "unknown stopping rule 'soon'; known rules are decided, beta"),
        ({"selection": "worst"}, "unknown selection rule 'worst'; known are weighted_vote, best_score, majority_best"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        build_graph(Settings(**{"task": "arithmetic", **settings}), client=ScriptedClient(fast=["1"]), scorer=None)


def takes_nothing() -> bool:
    return True


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"stopping_rules": [lambda standing: True]}, "a stopping rule needs a name, which a lambda does not have"),
        ({"stopping_rules": [takes_nothing]}, "the stopping rule 'takes_nothing' takes other arguments"),
        ({"selection_rules": [two_votes]}, "expected `def my_selection_rule(classes, scores): ...`"),
        ({"measures": ["consensus"]}, "a measure is 'consensus'; pass a function"),
        ({"stopping_rules": [two_votes, two_votes]}, "the name 'two_votes' of a stopping rule is taken"),
        ({"strategies": [object()]}, "a path strategy is a object, not a PathStrategy"),
        ({"tasks": [object()]}, "a task is a object, not a Task"),
    ],
)
def test_an_extension_that_does_not_fit_is_refused_at_build_time(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        build_graph(Settings(task="arithmetic"), client=ScriptedClient(fast=["1"]), scorer=None, **parts)


class Plain:
    name = "plain"
    prompts: Any = MappingProxyType({"expand_cot": None})
    variables: Any = MappingProxyType({})

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        return []

    def paths(self, known: Known) -> Sequence[PathInView]:
        return []


def test_a_built_in_name_is_taken() -> None:
    with pytest.raises(SettingsError, match="the name 'plain' of a path strategy is taken; choose another"):
        build_graph(client=ScriptedClient(fast=["1"]), scorer=None, strategies=[Plain()])


class NeedsAnother(Plain):
    name = "needs_another"
    prompts: Any = MappingProxyType({"missing": None})


def test_a_strategy_without_its_prompt_is_refused_when_a_run_names_it() -> None:
    client = ScriptedClient(fast=["1", "2", "3", "4", "5"], paths=["#65"] * 4)
    graph = build_graph(Settings(task="arithmetic"), client=client, scorer=None, strategies=[NeedsAnother()])
    graph.invoke({"question": "17+48"})
    with pytest.raises(
        SettingsError, match=r"'needs_another' does not suit the task 'arithmetic': its prompt missing\.md"
    ):
        graph.invoke({"question": "17+48"}, {"configurable": {"egrm": {"strategy": "needs_another"}}})
    with pytest.raises(SettingsError, match=r"prompt missing\.md is missing"):
        build_graph(Settings(strategy="needs_another"), client=client, scorer=None, strategies=[NeedsAnother()])


def test_a_system_prompt_comes_first(tmp_path: Any) -> None:
    (tmp_path / "answer_fast.md").write_text("{% set system %}Be brief.{% endset %}{{ question }}=")
    client = ScriptedClient(fast=["65"] * 5)
    graph = build_graph(Settings(task="arithmetic", prompts=str(tmp_path)), client=client, scorer=None)
    question: Any = {"messages": [("system", "You add."), ("user", "17+48")]}
    graph.invoke(question)
    assert [(message["role"], message["content"]) for message in client.calls[0].prompt] == [
        ("system", "Be brief.\n\nYou add."),
        ("user", "17+48="),
    ]
