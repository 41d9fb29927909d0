"""Rewards of paths for TRL and verl, with the bundled scorer."""

import pickle
from typing import Any

import pytest

from egrm_graph import Settings
from egrm_graph.errors import InputError, RunError, SettingsError
from egrm_graph.integrations.path_reward import as_trl_path_reward, as_verl_path_reward

RIGHT, WRONG = "17+40=57;57+8=65;#65", "17+40=57;57+8=66;#66"
QUESTION = "17+48"


def trl(*texts: str, **more: Any) -> dict[str, Any]:
    n = len(texts)
    return {
        "prompts": ["17+48:"] * n,
        "completions": list(texts),
        "question": [QUESTION] * n,
        "reference": [65] * n,
        **more,
    }


def test_trl_gets_the_rewards_of_a_pair() -> None:
    right, wrong, unread = as_trl_path_reward(Settings())(**trl(RIGHT, WRONG, "17+40"))
    assert right is not None and wrong is not None  # noqa: PT018
    assert right - 1 == pytest.approx(-wrong)  # S_right - S_wrong, and its negative
    assert right > 1.5
    assert unread is None


def test_an_answer_reward_needs_no_scorer() -> None:
    reward = as_trl_path_reward(Settings(task="answer", model="mine"), reward="answer")
    assert reward(**trl(r"\boxed{65}", r"\boxed{66}")) == [1.0, 0.0]


def test_a_completion_of_the_maximum_length_was_cut() -> None:
    reward = as_trl_path_reward(Settings(), reward="answer", max_completion_length=3)
    assert reward(**trl(RIGHT, WRONG, RIGHT, completion_ids=[[1, 2], [1, 2], [1, 2, 3]])) == [1.0, 0.0, None]


def test_the_function_can_be_pickled() -> None:
    reward = pickle.loads(pickle.dumps(as_trl_path_reward(Settings(), reward="answer", name="mine")))
    assert (reward.__name__, reward(**trl(RIGHT, WRONG))) == ("mine", [1.0, 0.0])


def test_a_missing_column_is_named() -> None:
    with pytest.raises(SettingsError, match="no column 'gold'"):
        as_trl_path_reward(Settings(), reference_column="gold")(**trl(RIGHT))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(task="pairwise"), "'pairwise' judges candidates"),
        (Settings(task="answer", model="mine"), "'pair' needs a scorer"),
        (Settings(scorer=None), "'pair' needs a scorer"),
    ],
)
def test_settings_that_cannot_reward_are_refused(settings: Settings, message: str) -> None:
    for function in (as_trl_path_reward, as_verl_path_reward):
        with pytest.raises(SettingsError, match=message):
            function(settings)


def verl(*texts: str) -> dict[str, Any]:
    n = len(texts)
    infos = [{"question": QUESTION}] * n
    return {
        "data_sources": ["sums"] * n,
        "solution_strs": list(texts),
        "ground_truths": ["65"] * n,
        "extra_infos": infos,
    }


def test_verl_gets_scores_for_a_batch() -> None:
    score = as_verl_path_reward(Settings(), reward="answer", missing=-1.0)
    assert score(**verl(RIGHT, "17+40", WRONG)) == [
        {"score": 1.0, "judged": 1.0},
        {"score": -1.0, "judged": 0.0},
        {"score": 0.0, "judged": 1.0},
    ]


def test_verl_gets_an_error_for_a_missing_reward_without_a_replacement() -> None:
    with pytest.raises(RunError, match=r"all paths of the group are right; .*missing="):
        as_verl_path_reward(Settings(), reward="answer")(**verl(RIGHT, RIGHT))


def test_verl_responses_that_come_alone_cannot_be_compared() -> None:
    with pytest.raises(SettingsError, match="reward manager 'batch'"):
        as_verl_path_reward(Settings())("sums", RIGHT, "65", {"question": QUESTION})


def test_a_missing_key_is_named() -> None:
    with pytest.raises(InputError, match="extra_info has no 'question', only 'q'"):
        as_verl_path_reward(Settings())(**{**verl(RIGHT), "extra_infos": [{"q": QUESTION}]})
