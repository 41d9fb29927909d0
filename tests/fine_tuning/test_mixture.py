"""The mixture of short and long samples, and its control by chance."""

from typing import Any

import pytest

from egrm_graph.clients.client import Completion
from egrm_graph.clients.scripted import Fail, ScriptedClient
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.fine_tuning.mixture_draws import DrawnText, MixtureDraw, draw_for_mixture, mixture_parts
from egrm_graph.fine_tuning.sample_mixture import mixture, random_mixture, report
from egrm_graph.parts import Parts, assemble
from egrm_graph.scoring.function_scorer import FunctionScorer
from egrm_graph.settings import Settings

INPUT = {"question": "1+1", "reference": "2"}
RIGHT, LONGER, WRONG = "1+1=2;#2", "1+0=1;1+1=2;#2", "1+1=3;#3"


def prefers_longer(question: str, path: str) -> float:
    return len(path) / 100


def parts(fast: list[Any], paths: list[Any] | None = None, **settings: Any) -> Parts:
    client = ScriptedClient(fast=fast, paths=paths or [])
    values = {"task": "arithmetic", "samples": len(fast), "paths": len(paths or []) or None, **settings}
    return mixture_parts(assemble(Settings(**values), client, FunctionScorer(prefers_longer)))


def text(prompt: str, completion: str, n_tokens: int, score: float | None = None) -> DrawnText:
    return DrawnText(
        prompt=[{"role": "user", "content": prompt}],
        completion=[{"role": "assistant", "content": completion}],
        n_tokens=n_tokens,
        score=score,
    )


def draw(
    *,
    certain: bool = False,
    right: bool = False,
    short: int | None = None,
    long: int | None = None,
    paths: int | None = 4,
) -> MixtureDraw:
    """A draw whose short and long samples have that many tokens."""
    return MixtureDraw(
        question="1+1",
        reference="2",
        certain=certain,
        right=right,
        short=None if short is None else text("1+1=", "2", short),
        long=None if long is None else text("1+1:", RIGHT, long, 0.9),
        paths=paths,
        right_paths=0 if long is None else 1,
        lost=0,
        reasons=[],
        completion_tokens=10,
    )


async def test_certain_and_right_is_short_and_draws_no_paths() -> None:
    found = await draw_for_mixture(parts(["2", "2"]), INPUT)
    assert (found["certain"], found["right"], found["paths"], found["long"]) == (True, True, None, None)
    [sample] = mixture([("a", found)])
    assert sample.row == {
        "id": "a",
        "kind": "short",
        "prompt": [{"role": "user", "content": "1+1="}],
        "completion": [{"role": "assistant", "content": "2"}],
    }


async def test_uncertain_is_long_with_the_best_scored_right_path() -> None:
    found = await draw_for_mixture(parts(["2", "3"], [WRONG * 3, RIGHT, LONGER, Fail("gone")]), INPUT)
    [sample] = mixture([(1, found)])
    assert (sample.kind, sample.text["completion"]) == ("long", [{"role": "assistant", "content": LONGER}])
    assert sample.text["prompt"] == [{"role": "user", "content": "1+1:"}]
    assert (found["paths"], found["right_paths"], found["lost"]) == (4, 2, 1)


async def test_certain_and_wrong_is_long() -> None:
    draws = [(1, await draw_for_mixture(parts(["3", "3"], [RIGHT, WRONG]), INPUT))]
    assert [sample.kind for sample in mixture(draws)] == ["long"]
    counts = report(draws)
    assert (counts.certain, counts.certain_but_wrong, counts.long_certain_but_wrong) == (1, 1, 1)


async def test_a_question_without_a_right_path_is_left_out() -> None:
    draws = [(1, await draw_for_mixture(parts(["3", "2"], [WRONG, WRONG]), INPUT))]
    assert mixture(draws) == []
    assert report(draws).without_right_path == 1


async def test_a_cut_path_is_not_learned_although_its_answer_is_right() -> None:
    cut = Completion(RIGHT, "length", 8)
    assert (await draw_for_mixture(parts(["2", "3"], [cut, WRONG]), INPUT))["long"] is None


async def test_every_path_is_drawn_for_a_control() -> None:
    found = await draw_for_mixture(parts(["2", "2"], [RIGHT, WRONG]), INPUT, every_path=True)
    assert (found["certain"], found["paths"], found["right_paths"]) == (True, 2, 1)


async def test_without_a_scorer_the_first_right_path_is_learned() -> None:
    unscored = mixture_parts(
        assemble(
            Settings(task="arithmetic", samples=2, paths=3),
            ScriptedClient(fast=["2", "3"], paths=[WRONG, RIGHT, LONGER]),
            None,
        )
    )
    found = await draw_for_mixture(unscored, INPUT)
    assert found["long"] == text("1+1:", RIGHT, len(RIGHT))


async def test_separate_thinking_is_refused() -> None:
    thought = Completion(RIGHT, "stop", 8, thinking="Let me see.")
    with pytest.raises(InputError, match="--path-thinking"):
        await draw_for_mixture(parts(["2", "3"], [thought, WRONG]), INPUT)


async def test_a_line_without_a_reference_is_an_error() -> None:
    with pytest.raises(InputError, match="no 'reference'"):
        await draw_for_mixture(parts(["2", "2"]), {"question": "1+1"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"task": "pairwise"}, "'pairwise' judges"), ({"strategy": "entropy_tree"}, "--strategy")],
)
def test_settings_that_draw_nothing_to_learn_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        mixture_parts(assemble(Settings(**settings)))


def test_the_report_counts_every_question_once() -> None:
    draws = [
        ("a", draw(certain=True, right=True, short=2, paths=None)),
        ("b", draw(certain=True, long=30)),
        ("c", draw(short=2, long=40)),
        ("d", draw()),
    ]
    assert report(draws)._asdict() == {
        "questions": 4,
        "certain": 2,
        "certain_but_wrong": 1,
        "short": 1,
        "long": 2,
        "long_certain_but_wrong": 1,
        "without_right_path": 1,
        "short_tokens": 2,
        "long_tokens": 70,
        "paths": 12,
        "right_paths": 2,
        "drawn_tokens": 40,
    }


def test_the_control_has_the_questions_and_at_most_the_tokens_of_the_mixture() -> None:
    certain = [(n, draw(certain=True, right=True, short=2, long=30)) for n in range(20)]
    uncertain = [(n, draw(short=2 if n % 2 else None, long=30)) for n in range(20, 40)]
    draws = [*certain, *uncertain, (40, draw())]
    wanted, control = mixture(draws), random_mixture(draws, seed=1)
    assert [sample.id for sample in control] == [sample.id for sample in wanted]
    tokens = [sum(sample.text["n_tokens"] or 0 for sample in samples) for samples in (wanted, control)]
    assert tokens[0] - 28 < tokens[1] <= tokens[0]
    short = {sample.id for sample in control if sample.kind == "short"}
    assert any(isinstance(name, int) and name >= 20 for name in short)
    assert len(short) < 20 + 10
    assert random_mixture(draws, seed=1) == control != random_mixture(draws, seed=2)


def test_a_control_needs_paths_for_every_question() -> None:
    with pytest.raises(InputError, match="--control"):
        random_mixture([(1, draw(certain=True, right=True, short=2, paths=None))], seed=0)
