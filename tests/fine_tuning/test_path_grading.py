"""Paths graded in training, as the graph grades them."""

import pytest

from egrm_graph.errors import InputError, SettingsError
from egrm_graph.fine_tuning.path_grading import PathGrader, WrittenPath
from egrm_graph.fine_tuning.path_rewards import GradedPath
from egrm_graph.scoring.function_scorer import FunctionScorer
from egrm_graph.settings import Settings

SETTINGS = Settings(task="arithmetic", scorer=None)


def grader(score: float = 0.5) -> PathGrader:
    async def scored(question: str, path: str) -> float:
        return score

    return PathGrader(PathGrader.of(SETTINGS).task, SETTINGS, FunctionScorer(scored))


async def test_paths_have_outcomes_and_scores() -> None:
    paths = [WrittenPath("1+1=2;#2"), WrittenPath("1+1=3;#3")]
    assert await grader().grade("1+1", "2", paths) == [GradedPath(True, 0.5), GradedPath(False, 0.5)]


@pytest.mark.parametrize("path", [WrittenPath("1+1="), WrittenPath("1+1=2;#2", complete=False)])
async def test_a_path_without_an_answer_is_neither_right_nor_wrong(path: WrittenPath) -> None:
    [graded] = await grader().grade("1+1", "2", [path])
    assert graded == GradedPath(None, None, "no answer could be read")


@pytest.mark.parametrize("score", [1.5, float("nan")])
async def test_a_score_that_is_not_one_is_missing(score: float) -> None:
    [graded] = await grader(score).grade("1+1", "2", [WrittenPath("#2")])
    assert (graded.right, graded.score) == (True, None)
    assert graded.unscored == f"the scorer scored returned {score}, which is not in [0, 1]"


async def test_without_a_scorer_answers_still_count() -> None:
    assert await PathGrader.of(SETTINGS).grade("1+1", "2", [WrittenPath("#2")]) == [
        GradedPath(True, None, "the graph has no scorer")
    ]


async def test_the_scorer_reads_what_it_reads_in_the_graph() -> None:
    seen: list[tuple[str, str]] = []

    async def scored(question: str, path: str) -> float:
        seen.append((question, path))
        return 0.5

    await PathGrader(grader().task, SETTINGS, FunctionScorer(scored)).grade("What is 1 + 1?", "2", [WrittenPath("#2")])
    assert seen == [("1+1", "#2")]


def test_the_bundled_generator_has_the_bundled_scorer() -> None:
    assert getattr(PathGrader.of(Settings()).scorer, "name", None) == "egrm-tiny-scorer"


def test_a_judging_task_is_refused() -> None:
    with pytest.raises(SettingsError, match="'pairwise' judges candidates"):
        PathGrader.of(Settings(task="pairwise"))


@pytest.mark.parametrize(("question", "reference"), [("who?", "2"), ("", "2")])
async def test_a_question_that_cannot_be_asked_is_an_error(question: str, reference: str) -> None:
    with pytest.raises(InputError, match="chain of"):
        await grader().grade(question, reference, [WrittenPath("#2")])
