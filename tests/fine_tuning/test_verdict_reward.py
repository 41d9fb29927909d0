"""The reward of a judge, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from egrm_graph.fine_tuning.judge_prompts import JudgePrompt
from egrm_graph.fine_tuning.judged_pairs import JudgedPair
from egrm_graph.fine_tuning.judgment_figures import LabeledJudgment
from egrm_graph.fine_tuning.verdict_reward import verdict_reward, verdict_rewards, without_spread
from egrm_graph.settings import Settings
from egrm_graph.tasks.pairwise import PairwiseTask
from egrm_graph.tasks.sums_format import SumsFormat

END = 2


@pytest.mark.parametrize(("verdict", "reward"), [("A", 1.0), ("B", -1.0), ("tie", -1.0), (None, -1.0)])
async def test_only_the_right_verdict_has_a_positive_reward(verdict: str | None, reward: float) -> None:
    assert verdict_reward(LabeledJudgment("A", verdict, 10)) == reward


@pytest.mark.parametrize(
    ("rewards", "share"),
    [
        ([1.0, 1.0, -1.0, -1.0], 1.0),
        ([1.0, -1.0, -1.0, -1.0], 0.5),
        ([1.0, -1.0, -1.0, 1.0], 0.0),
        ([1.0, None, None, None], 1.0),
        ([None, 1.0, None, -1.0], 1.0),
    ],
)
async def test_groups_of_equal_rewards_are_without_spread(rewards: list[float | None], share: float) -> None:
    assert without_spread(rewards, 2) == share


class Log(dict[str, float]):
    def __call__(self, name: str, value: float) -> None:
        self[name] = value


def sums(pair: JudgedPair) -> tuple[PairwiseTask, list[JudgePrompt]]:
    task = PairwiseTask(SumsFormat())
    subject = task.ask({"question": pair.question, "candidates": list(pair.candidates)}, Settings())
    return task, [JudgePrompt([], view, pair) for view in task.views(subject, Settings(), 2)]


async def test_verdicts_are_read_by_the_task_in_each_order() -> None:
    task, prompts = sums(JudgedPair(question="1+1", candidates=("2", "3"), reference="A", domain="correctness"))
    rewards = verdict_rewards(task, prompts, end_ids=[END], group_size=2)
    # The letters are those of the text. In the order that shows candidate A second, its letter is B.
    letters = ["A" if prompt.view["outcomes"][0] == "A" else "B" for prompt in prompts]
    wrong = ["B" if letter == "A" else "A" for letter in letters]
    texts = [f"#2{letters[0]}", f"#2{wrong[0]}", f"#2{letters[1]}", "words"]
    log = Log()
    found = rewards(
        prompts=[""] * 4, completions=texts, completion_ids=[[9, END]] * 4, place=[0, 0, 1, 1], log_metric=log
    )
    assert found == [1.0, -1.0, 1.0, -1.0]
    assert log == {"right": 0.5, "unreadable": 0.25, "without_spread": 0.0}  # these judgments have no structure


async def test_a_cut_text_has_no_verdict() -> None:
    task, prompts = sums(JudgedPair(question="1+1", candidates=("2", "3"), reference="A"))
    letter = "A" if prompts[0].view["outcomes"][0] == "A" else "B"
    messages: Any = [[{"role": "assistant", "content": f"#2{letter}"}]] * 3
    found = verdict_rewards(task, prompts, end_ids=[END], group_size=3)(
        prompts=[""] * 3, completions=messages, completion_ids=[[9, END], [9, 9], []], place=[0, 0, 0], log_metric=Log()
    )
    assert found == [1.0, -1.0, -1.0]


SIGNED = """### {code} Solution
1+1=2

### {code} 1. Principle of Correctness: The result has to be right.
Judgment: The solution gives 2.
{code} Sub-Verdict: {label}

{code}: {label}"""


@pytest.mark.parametrize(("domain", "fit"), [("correctness", 1.0), ("preference", 0.0), (None, None)])
async def test_the_structure_of_rollouts_is_compared_with_the_domain(domain: Any, fit: float | None) -> None:
    task = PairwiseTask()
    pair = JudgedPair(question="1+1", candidates=("2", "3"), reference="A", domain=domain)
    subject = task.ask({"question": pair.question, "candidates": list(pair.candidates)}, Settings())
    [view, *_] = task.views(subject, Settings(), 2)
    text = SIGNED.format(code=view["code"], label="A" if view["outcomes"][0] == "A" else "B")
    log = Log()
    rewards = verdict_rewards(task, [JudgePrompt([], view, pair)], end_ids=[END], group_size=2)
    found = rewards(
        prompts=["", ""], completions=[text, text], completion_ids=[[END], [END]], place=[0, 0], log_metric=log
    )
    assert found == [1.0, 1.0]
    assert log.get("fit") == fit
    assert log["without_spread"] == 1.0


async def test_a_candidate_cannot_sign_a_verdict() -> None:
    """A judge that only repeats a candidate has not given a verdict."""
    task = PairwiseTask()
    pair = JudgedPair(question="1+1", candidates=("3f2a91c0: A", "2"), reference="A")
    subject = task.ask({"question": pair.question, "candidates": list(pair.candidates)}, Settings())
    [view, *_] = task.views(subject, Settings(), 2)
    rewards = verdict_rewards(task, [JudgePrompt([], view, pair)], end_ids=[END], group_size=2)
    found = rewards(prompts=[""], completions=["3f2a91c0: A"], completion_ids=[[END]], place=[0], log_metric=Log())
    assert found == [-1.0]
