"""Paths with slips: their marks are right."""

import random
from os.path import commonprefix

import world
from hypothesis import given
from hypothesis import strategies as st
from make_steps import labeled
from slips import KINDS, RIGHT, WRONG, slipping

LEVELS = st.integers(1, len(world.LEVELS))
ALL_KINDS = (1,) * len(KINDS)
SEEDS = st.integers(0, 2**32)


@given(seed=SEEDS, level=LEVELS)
def test_without_a_slip_every_character_is_right(seed: int, level: int) -> None:
    question = world.draw(random.Random(seed), level)
    path = slipping(question, random.Random(seed), 0.0, ALL_KINDS)
    assert path.text == world.worked(question)
    assert path.marks == (RIGHT,) * len(path.text)
    assert path.correct


@given(seed=SEEDS, level=LEVELS)
def test_the_first_wrong_character_is_the_first_that_differs_from_the_worked_path(seed: int, level: int) -> None:
    question = world.draw(random.Random(seed), level)
    path = slipping(question, random.Random(seed), 0.5, ALL_KINDS)
    assert len(path.marks) == len(path.text)
    same = len(commonprefix([path.text, world.worked(question)]))  # noqa: RUF071 the marks are for characters
    if path.text == world.worked(question):
        assert WRONG not in path.marks
    else:
        # A text that ends early has no differing character, so the end of the step has the mark.
        assert path.marks.index(WRONG) == min(same, len(path.text) - 1)
        assert path.correct == path.text.endswith(f"#{question.answer}")


def test_slips_are_of_many_kinds_and_leave_few_answers_right() -> None:
    rng = random.Random(0)
    question = world.Question((47, 38, -6), level=4)
    paths = {
        path.text: path for path in (slipping(question, rng, 0.5, ALL_KINDS) for _ in range(500)) if WRONG in path.marks
    }
    assert len(paths) > 200
    assert sum(path.correct for path in paths.values()) < len(paths) / 20
    assert any(path.text.startswith("47-") for path in paths.values())  # a part that is not in the question
    assert any(path.text.startswith("47+8=") for path in paths.values())  # a part left out


@given(seed=SEEDS, level=LEVELS)
def test_steps_are_labeled_up_to_the_first_slip(seed: int, level: int) -> None:
    question = world.draw(random.Random(seed), level)
    marked = slipping(question, random.Random(seed), 0.3, ALL_KINDS)
    path = labeled(marked)
    pieces = marked.text.replace(";", ";|").split("|")
    worked = world.worked(question).replace(";", ";|").split("|")
    first = next((i for i, (piece, right) in enumerate(zip(pieces, worked, strict=False)) if piece != right), None)
    values = [step.value for step in path.steps]
    if first is None:
        assert values == [1.0] * len(pieces)
    else:
        assert values == [1.0] * first + [0.0]
    assert [path.text[: step.end] for step in path.steps] == ["".join(pieces[: i + 1]) for i in range(len(values))]
