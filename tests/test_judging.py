"""Through the full graph: the order of the candidates never decides, however bad the judge is."""

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
    """Scores that depend on the question, with its order of candidates, and on the path."""

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
    """The decision, with candidates identified by their text and not by their position."""
    CLIENTS[judge].calls.clear()
    graph = GRAPHS[task, judge, scorer]
    result: Verification = (await graph.ainvoke({"question": "17+48?", "candidates": list(candidates)}))["verification"]
    assert result["rewards"] is not None
    rewards = dict(zip(map(identity, candidates), result["rewards"], strict=True))
    winner = None if result["winner"] is None else identity(candidates[result["winner"]])
    return result["status"], result["route"], winner, result["answer"] == "tie", rewards, result["tie"]


@pytest.mark.slow
@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize("judge", CLIENTS)
@often
@given(pair=st.tuples(texts, texts))
async def test_swapping_two_candidates_never_changes_the_verdict(
    judge: str, scorer: str, pair: tuple[str, str]
) -> None:
    # 8 x 130 pairs in both orders
    assert await verdict("pairwise", judge, scorer, pair) == await verdict("pairwise", judge, scorer, pair[::-1])


@pytest.mark.slow
@pytest.mark.parametrize("scorer", SCORERS)
@pytest.mark.parametrize("judge", CLIENTS)
@settings(often, max_examples=15)
@given(several=st.lists(texts, min_size=3, max_size=3))
async def test_reordering_three_candidates_never_changes_the_verdict(
    judge: str, scorer: str, several: list[str]
) -> None:
    verdicts = [await verdict("best_of_n", judge, scorer, order) for order in permutations(several)]
    assert verdicts == [verdicts[0]] * 6


@pytest.mark.slow
@pytest.mark.parametrize("judge", CLIENTS)
@settings(often, max_examples=25)
@given(several=st.lists(texts, min_size=2, max_size=12), draw=st.randoms(use_true_random=False))
async def test_shuffling_a_list_never_changes_the_verdict(judge: str, several: list[str], draw: Any) -> None:
    shuffled = list(several)
    draw.shuffle(shuffled)
    assert await verdict("best_of_n", judge, "scores", shuffled) == await verdict("best_of_n", judge, "scores", several)


@settings(often, max_examples=30)
@given(pair=st.tuples(texts, texts))
async def test_a_judge_that_always_takes_the_first_of_a_pair_has_no_winner(pair: tuple[str, str]) -> None:
    _, _, winner, tie, rewards, _ = await verdict("pairwise", "first", "votes", pair)
    same = identity(pair[0]) == identity(pair[1])
    assert (winner, tie, set(rewards.values())) == (None, True, {None} if same else {0.5})


@settings(often, max_examples=30)
@given(several=st.lists(texts, min_size=2, max_size=4, unique_by=identity))
async def test_a_judge_that_always_takes_the_first_of_a_list_has_no_winner(several: list[str]) -> None:
    status, _, winner, tie, rewards, _ = await verdict("best_of_n", "first", "votes", several)
    assert (status, winner, tie) == ("ok", None, True)
    assert list(rewards.values()) == pytest.approx([1 / len(several)] * len(several))


words = st.text("abcdefgh", min_size=1, max_size=12)


@settings(often, max_examples=30)
@given(several=st.lists(words, min_size=2, max_size=4, unique_by=len))
async def test_a_judge_that_compares_the_candidates_has_a_winner(several: list[str]) -> None:
    _, route, winner, _, rewards, _ = await verdict("best_of_n", "longest", "votes", several)
    assert (route, winner) == ("direct", max(several, key=len))
    assert rewards == {text: float(text == winner) for text in several}


CALLS = [
    AIMessage(text, tool_calls=[ToolCall(name=name, args={"x": x}, id=f"{name}{x}")])
    for text, name, x in (("so", "a", 1), ("well", "a", 2), ("now", "a", 1), ("", "b", 1))
]


@pytest.mark.parametrize("votes", get_args(ToolVotes))
async def test_reordering_tool_calls_never_changes_the_verdict(votes: ToolVotes) -> None:
    graph = build_graph(Settings(task="tool_calls", tool_votes=votes), client=CLIENTS["noisy"], scorer=Whimsical())
    found = []
    for order in permutations(CALLS):
        result = (await graph.ainvoke({"question": "17+48?", "candidates": list(order)}))["verification"]
        by_text = dict(zip([message.text for message in order], result["rewards"] or [], strict=True))
        found.append((None if result["winner"] is None else order[result["winner"]].text, by_text))
    assert found == [found[0]] * 24
