"""The path strategies that the Protocol allows: trees, stages, early stops, and a choice for each question."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from egrm_graph import Settings, build_graph
from egrm_graph.clients.client import Completion
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.prompting import PromptSource
from egrm_graph.settings import PATHS
from egrm_graph.strategies.strategy import Known, PathCall, PathInView
from egrm_graph.verification import Message, Verification

TORN = ["1", "2", "3", "4", "5"]
Paths = Sequence[PathInView]


class _Base:
    name = "mine"
    prompts: Mapping[str, PromptSource | None] = MappingProxyType({"expand_cot": None})
    variables: Mapping[str, Any] = MappingProxyType({})

    def paths(self, known: Known) -> Paths:
        """A path for each call of the last round."""
        last = known.rounds[-1]
        return [known.read(call, outcomes[0]) for call, outcomes in zip(last.calls, last.outcomes, strict=True)]


async def verify(strategy: Any, script: Sequence[Item], **settings: Any) -> tuple[Verification, ScriptedClient]:
    client = ScriptedClient(fast=TORN, paths=script)
    graph = build_graph(
        Settings(task="arithmetic", strategy="mine", **settings), client=client, scorer=None, strategies=[strategy]
    )
    return (await graph.ainvoke({"question": "17+48"}))["verification"], client


def texts_of(known: Known) -> list[str]:
    outcomes = [outcome for of_call in known.rounds[-1].outcomes for outcome in of_call]
    return [outcome.text for outcome in outcomes if isinstance(outcome, Completion)]


class Tree(_Base):
    """Branches every path once: two calls continue the same first step as the start of the assistant's turn."""

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        views = known.path_views()
        if not known.rounds:
            return known.calls("expand_cot", views[:2])
        if len(known.rounds) == 1:
            prefixes = [text.partition(";")[0] + ";" for text in texts_of(known) for _ in range(2)]
            calls = known.calls("expand_cot", views[:1] * len(prefixes))
            return [
                PathCall(replace(call, prompt=[*call.prompt, Message(role="assistant", content=prefix)]), view)
                for (call, view), prefix in zip(calls, prefixes, strict=True)
            ]
        return []


async def test_a_tree_continues_shared_prefixes() -> None:
    result, client = await verify(Tree(), ["17+40=57;57+8=65;#65", "17+50=67;#67", "57+8=65;#65", "#66", "#65", "#65"])
    continued = [call.prompt[-1]["content"] for call in client.calls if call.prompt[-1]["role"] == "assistant"]
    assert continued == ["17+40=57;", "17+40=57;", "17+50=67;", "17+50=67;"]
    assert [path["answer"] for path in result["paths"]] == ["65", "66", "65", "65"]
    assert len({path["seed"] for path in result["paths"]}) == 4


class Merging(_Base):
    """Draws drafts, and then draws again on all of them."""

    prompts = MappingProxyType({"draft": "{{ question }}:", "merge": "{{ question }}|{{ drafts }}:"})
    variables = MappingProxyType({"drafts": "#1"})

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        if not known.rounds:
            return known.calls("draft", known.path_views())
        if len(known.rounds) == 1:
            return known.calls("merge", known.views, drafts="|".join(texts_of(known)))
        return []


async def test_a_stage_uses_the_results_of_the_previous_one_in_its_own_prompt() -> None:
    result, client = await verify(Merging(), ["#1", Fail("lost"), "#65", "#65"], paths=3)
    assert client.calls[-1].prompt[-1]["content"] == "17+48|#1|#65:"
    assert [path["answer"] for path in result["paths"]] == ["65"]
    assert result["answer"] == "65"
    assert result["reasons"][0] == "1 of 4 paths lost: lost"


class UntilTwoAgree(_Base):
    """Draws one path at a time until two of them have the same answer."""

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        answers = [path["answer"] for path, _ in self.paths(known)]
        enough = len(answers) >= (known.settings.paths or PATHS) or len(set(answers)) < len(answers)
        return [] if enough else known.calls("expand_cot", known.path_views()[:1])

    def paths(self, known: Known) -> Paths:
        return [known.read(drawn.calls[0], drawn.outcomes[0][0]) for drawn in known.rounds]


async def test_rounds_stop_early() -> None:
    result, client = await verify(UntilTwoAgree(), ["#65", "#66", "#65", "#67", "#68"], paths=5)
    assert [path["answer"] for path in result["paths"]] == ["65", "66", "65"]
    assert sum(".expand_cot." in call.request_id for call in client.calls) == 3


async def test_a_spent_budget_ends_the_rounds() -> None:
    result, client = await verify(UntilTwoAgree(), ["#65", "#66", "#67", "#68"], paths=4, max_completion_tokens=8)
    assert [path["answer"] for path in result["paths"]][-1] is None
    assert len(client.calls) < 8
    assert result["status"] == "degraded"
    assert "paths_lost" in result.get("reason_codes", [])


class ByLength(_Base):
    """Uses a tree for long questions, and draws one path for the others."""

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        if len(known.asked["question"]) > 10:
            return Tree().next_calls(known)
        return [] if known.rounds else known.calls("expand_cot", known.path_views()[:1])


async def test_a_strategy_can_choose_for_each_question() -> None:
    result, _ = await verify(ByLength(), ["#65"])
    assert [path["answer"] for path in result["paths"]] == ["65"]


async def test_a_run_can_name_another_strategy() -> None:
    client = ScriptedClient(fast=TORN, paths=["#65"] * 4)
    graph = build_graph(Settings(task="arithmetic"), client=client, scorer=None, strategies=[ByLength()])
    config: Any = {"configurable": {"egrm": {"strategy": "mine"}}}
    assert len((await graph.ainvoke({"question": "17+48"}))["verification"]["paths"]) == 4
    assert len((await graph.ainvoke({"question": "17+48"}, config))["verification"]["paths"]) == 1
