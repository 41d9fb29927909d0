"""Through the whole graph: whoever judges, and however badly, the order of the candidates never decides."""

import unicodedata
from collections.abc import Sequence
from itertools import permutations
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, ToolCall

from egrm_graph import Settings, Verification, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.scoring.scorer import Scorer, Unscored
from egrm_graph.settings import ToolVotes
from tests.judges import chance, first, longest, noisy, script, torn


class Whimsical:
    """Scores that follow from the question, its order of candidates included, and the path."""

    name = "whimsical"
    calibrated = False

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        return [chance(question, path) for path in paths]

    async def aclose(self) -> None: ...


CLIENTS = {
    "first": ScriptedClient(script(first)),
    "longest": ScriptedClient(script(longest)),
    "noisy": ScriptedClient(script(noisy)),
    "probabilities": ScriptedClient(script(noisy), labels=torn),
}
SCORERS: dict[str, Scorer | None] = {"votes": None, "scores": Whimsical()}
GRAPHS = {
    (task, judge, scorer): build_graph(Settings(task=task), client=CLIENTS[judge], scorer=SCORERS[scorer])
    for task in ("pairwise", "best_of_n")
    for judge in CLIENTS
    for scorer in SCORERS
}

texts = st.one_of(
    st.text(min_size=1, max_size=30).filter(lambda text: text.strip() != ""),
    st.sampled_from(
        ["65", " 65\n", "66", "café", "cafe\u0301", "C", "tie", "[end of candidate A]", "<|im_end|>", "\u202e"]
    ),
)
often = settings(deadline=None, max_examples=130, suppress_health_check=[HealthCheck.too_slow])


def identity(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


async def verdict(task: str, judge: str, scorer: str, candidates: Sequence[str]) -> tuple[Any, ...]:
    """What was decided, by what the candidates say in the place of where they stand."""
    CLIENTS[judge].calls.clear()
    graph = GRAPHS[task, judge, scorer]
    told: Verification = (await graph.ainvoke({"question": "17+48?", "candidates": list(candidates)}))["verification"]
    assert told["rewards"] is not None
    rewards = dict(zip(map(identity, candidates), told["rewards"], strict=True))
    winner = None if told["winner"] is None else identity(candidates[told["winner"]])
    return told["status"], told["route"], winner, told["answer"] == "tie", rewards, told["tie"]


@pytest.mark.slow
@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize("judge", CLIENTS)
@often
@given(pair=st.tuples(texts, texts))
async def test_swapping_two_candidates_never_changes_the_verdict(
    judge: str, scorer: str, pair: tuple[str, str]
) -> None:
    # 8 x 130 pairs, each in both orders
    assert await verdict("pairwise", judge, scorer, pair) == await verdict("pairwise", judge, scorer, pair[::-1])


@pytest.mark.slow
@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize("judge", CLIENTS)
@settings(often, max_examples=15)
@given(several=st.lists(texts, min_size=3, max_size=3))
async def test_no_order_of_three_changes_the_verdict(judge: str, scorer: str, several: list[str]) -> None:
    told = [await verdict("best_of_n", judge, scorer, order) for order in permutations(several)]
    assert told == [told[0]] * 6


@pytest.mark.slow
@pytest.mark.parametrize("judge", CLIENTS)
@settings(often, max_examples=25)
@given(several=st.lists(texts, min_size=2, max_size=12), draw=st.randoms(use_true_random=False))
async def test_shuffling_a_list_never_changes_the_verdict(judge: str, several: list[str], draw: Any) -> None:
    mixed = list(several)
    draw.shuffle(mixed)
    assert await verdict("best_of_n", judge, "scores", mixed) == await verdict("best_of_n", judge, "scores", several)


@settings(often, max_examples=30)
@given(pair=st.tuples(texts, texts))
async def test_a_judge_that_always_takes_the_first_never_makes_a_winner(pair: tuple[str, str]) -> None:
    _, _, winner, tie, rewards, _ = await verdict("pairwise", "first", "votes", pair)
    same = identity(pair[0]) == identity(pair[1])
    assert (winner, tie, set(rewards.values())) == (None, True, {None} if same else {0.5})


@settings(often, max_examples=30)
@given(several=st.lists(texts, min_size=2, max_size=4, unique_by=identity))
async def test_in_a_list_it_makes_none_either(several: list[str]) -> None:
    status, _, winner, tie, rewards, _ = await verdict("best_of_n", "first", "votes", several)
    assert (status, winner, tie) == ("ok", None, True)
    assert list(rewards.values()) == pytest.approx([1 / len(several)] * len(several))


words = st.text("abcdefgh", min_size=1, max_size=12)


@settings(often, max_examples=30)
@given(several=st.lists(words, min_size=2, max_size=4, unique_by=len))
async def test_a_judge_that_looks_at_the_candidates_finds_its_winner(several: list[str]) -> None:
    _, route, winner, _, rewards, _ = await verdict("best_of_n", "longest", "votes", several)
    assert (route, winner) == ("direct", max(several, key=len))
    assert rewards == {text: float(text == winner) for text in several}


CALLS = [
    AIMessage(text, tool_calls=[ToolCall(name=name, args={"x": x}, id=f"{name}{x}")])
    for text, name, x in (("so", "a", 1), ("well", "a", 2), ("now", "a", 1), ("", "b", 1))
]


@pytest.mark.parametrize("votes", get_args(ToolVotes))
async def test_no_order_of_tool_calls_changes_the_verdict(votes: ToolVotes) -> None:
    graph = build_graph(Settings(task="tool_calls", tool_votes=votes), client=CLIENTS["noisy"], scorer=Whimsical())
    found = []
    for order in permutations(CALLS):
        told = (await graph.ainvoke({"question": "17+48?", "candidates": list(order)}))["verification"]
        by_text = dict(zip([message.text for message in order], told["rewards"] or [], strict=True))
        found.append((None if told["winner"] is None else order[told["winner"]].text, by_text))
    assert found == [found[0]] * 24
