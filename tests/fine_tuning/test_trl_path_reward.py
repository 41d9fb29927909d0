"""The reward of paths as TRL calls it, and what it logs."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from egrm_graph.fine_tuning.path_grading import PathGrader
from egrm_graph.fine_tuning.trl_path_reward import completion_text, path_rewarder
from egrm_graph.runtime.background_loop import BackgroundLoop
from egrm_graph.scoring.function_scorer import FunctionScorer
from egrm_graph.settings import Settings

END = 2
SETTINGS = Settings(task="arithmetic", scorer=None)
SCORES = {"#2": 0.8, "1+1=2;#2": 0.6, "#3": 0.1}


def scored(question: str, path: str) -> float:
    return SCORES[path]


@pytest.fixture
def reward() -> Iterator[Callable[..., list[float | None]]]:
    loop = BackgroundLoop("test")
    grader = PathGrader(PathGrader.of(SETTINGS).task, SETTINGS, FunctionScorer(scored))
    yield path_rewarder(grader, "pair", 1.0, loop, [END])
    loop.close()


def columns(texts: list[str], questions: list[str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "completions": texts,
        "completion_ids": [[5, END]] * len(texts),
        "question": questions or ["1+1"] * len(texts),
        "reference": ["2"] * len(texts),
        **more,
    }


def test_paths_are_compared_within_their_question(reward: Callable[..., list[float | None]]) -> None:
    rewards = reward(**columns(["#2", "#3", "#2", "1+1=2;#2"], ["1+1", "1+1", "2+0", "2+0"]))
    assert rewards == [pytest.approx(1.7), pytest.approx(-0.7), None, None]


def test_a_cut_completion_has_no_reward_although_it_ends_in_the_answer(
    reward: Callable[..., list[float | None]],
) -> None:
    ids = [[5, END], [5, END], [5, 5]]
    assert reward(**columns(["#2", "#3", "1+1=2;#2"], completion_ids=ids)) == [
        pytest.approx(1.7),
        pytest.approx(-0.7),
        None,
    ]


def test_a_question_that_cannot_be_asked_costs_only_its_own_paths(reward: Callable[..., list[float | None]]) -> None:
    assert reward(**columns(["#2", "#2", "#3"], ["who?", "1+1", "1+1"])) == [
        None,
        pytest.approx(1.7),
        pytest.approx(-0.7),
    ]


def test_the_figures_and_the_reasons_are_logged(reward: Callable[..., list[float | None]]) -> None:
    metrics: dict[str, float] = {}
    extra: dict[str, list[str]] = {}
    reward(
        **columns(
            ["#2", "#3", "?", "#2", "1+1=2;#2", "#2"],
            ["1+1", "1+1", "1+1", "2+0", "2+0", "2+0"],
            log_metric=metrics.__setitem__,
            log_extra=extra.__setitem__,
        )
    )
    assert metrics == pytest.approx(
        {
            "right": 4 / 6,
            "unreadable": 1 / 6,
            "unrewarded": 4 / 6,
            "without_spread": 0.5,
            "score": (0.8 + 0.1 + 0.8 + 0.6 + 0.8) / 5,
        }
    )
    alike = "all paths of the group are right"
    assert extra == {"unrewarded": ["", "", "no answer could be read", alike, alike, alike]}


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        ("#2", "#2"),
        ([{"role": "assistant", "content": "#2"}], "#2"),
        ([{"role": "assistant", "content": None}], ""),
        ([], ""),
        (None, ""),
    ],
)
def test_the_text_of_a_completion(completion: Any, text: str) -> None:
    assert completion_text(completion) == text
