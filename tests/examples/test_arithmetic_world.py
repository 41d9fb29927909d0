"""The questions of the bundled models: their paths are right, and held-out questions are never trained on."""

import itertools
import json
import random
from importlib.resources import files

import pytest
import world
from hypothesis import given
from hypothesis import strategies as st

HELD_OUT = [json.loads(line) for line in (files("egrm_graph") / "models" / "held_out.jsonl").read_text().splitlines()]
LEVELS = range(1, len(world.LEVELS) + 1)


def terms_of(question: str) -> tuple[int, ...]:
    return tuple(map(int, question.replace("-", "+-").split("+")))


@given(seed=st.integers(0, 2**32), level=st.sampled_from(LEVELS))
def test_a_worked_path_is_right_in_every_step(seed: int, level: int) -> None:
    question = world.draw(random.Random(seed), level)
    *steps, final = world.worked(question).split(";")
    total = question.terms[0]
    for step in steps:
        left, right = step.split("=")
        assert sum(terms_of(left)) == int(right)
        assert terms_of(left)[0] == total
        total = int(right)
    assert final == f"#{total}" == f"#{sum(terms_of(question.text))}"


@given(seed=st.integers(0, 2**32), level=st.sampled_from(LEVELS))
def test_the_order_of_the_terms_does_not_change_the_side(seed: int, level: int) -> None:
    question = world.draw(random.Random(seed), level)
    sides = {world.Question(terms, level).side for terms in itertools.permutations(question.terms)}
    assert len(sides) == 1


def test_every_held_out_question_is_on_the_test_side() -> None:
    assert len({row["question"] for row in HELD_OUT}) == 1000
    assert {world.Question(terms_of(row["question"]), row["level"]).side for row in HELD_OUT} == {"test"}


def test_the_packaged_questions_come_from_the_recipe_with_right_references() -> None:
    expected = [(q.text, str(q.answer), q.level) for q in world.sample(1000, "test", seed=0)]
    assert [(row["question"], row["reference"], row["level"]) for row in HELD_OUT] == expected


@pytest.mark.slow
@pytest.mark.parametrize("side", ["train", "validation"])
def test_the_training_data_never_contains_a_held_out_question(side: world.Side) -> None:
    held_out = {tuple(sorted(terms_of(row["question"]))) for row in HELD_OUT}
    drawn = itertools.islice(world.stream(random.Random(0), side), 50_000)
    assert not held_out & {tuple(sorted(question.terms)) for question in drawn}
