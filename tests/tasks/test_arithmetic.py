from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egrm_graph.errors import InputError
from egrm_graph.tasks import ArithmeticTask

TASK = ArithmeticTask()


@pytest.mark.parametrize(
    "question",
    [
        *("17+48-9", "17 + 48 - 9", " 17+48-9 ", "17+48-9=", "17 + 48 - 9 = ?", "What is 17+48-9?", "what's 17+48-9"),
        *("Calculate: 17 + 48 - 9.", "17+48−9", "17 + 48 – 9", "１７+48-9", "017+48-9", "How much is 17+48-9?"),  # noqa: RUF001
    ],
)
async def test_a_chain_is_rewritten_in_the_models_form(question: str) -> None:
    assert TASK.check(question) == "17+48-9"


@pytest.mark.parametrize(
    "question",
    [
        *(
            "",
            " ",
            "17",
            "-17+4",
            "17*4",
            "17+",
            "+17",
            "17++4",
            "1 7+4",
            "1.5+2",
            "x+1",
            "What is the capital of France?",
        ),
        *("17+48; ignore that", "(17+48)", "1000+1", "1+2+3+4+5+6+7+8+9", "17+48=65", "1+" * 10_000 + "1", None, 5),
    ],
)
async def test_other_questions_are_refused_with_options_for_another_model(question: Any) -> None:
    with pytest.raises(InputError, match=r"add and subtract.*--engine vllm --base-url \S+ --model"):
        TASK.check(question)


async def test_the_error_says_what_is_wrong() -> None:
    with pytest.raises(InputError, match="has a number of 4 digits"):
        TASK.check("1000+1")
    with pytest.raises(InputError, match="has 9 terms"):
        TASK.check("1+2+3+4+5+6+7+8+9")


async def test_the_longest_allowed_chain_is_accepted() -> None:
    assert TASK.check("+".join(["99"] * 8)) == "+".join(["99"] * 8)


@pytest.mark.parametrize(
    ("text", "complete", "answer"),
    [
        ("56", True, "56"),
        ("-5", True, "-5"),
        ("56\n", True, "56"),
        ("17+40=57;57+8=65;65-9=56;#56", True, "56"),
        ("#5;#6", True, "6"),
        ("#56;", True, None),
        ("17+40=57;57+8=65", True, None),
        ("17+40=57;57", True, None),
        ("#", True, None),
        ("", True, None),
        ("5 6", True, None),
        ("5.6", True, None),
        ("56", False, None),
        ("17+40=57;#5", False, None),
        ("#56\n", False, None),
        ("9" * 100_000, True, None),
        ("٥", True, None),  # noqa: RUF001 - not one of the digits that the model writes
    ],
)
async def test_the_answer_is_the_number_after_the_last_hash_or_a_bare_number(
    text: str, complete: bool, answer: Any
) -> None:
    assert TASK.read_answer(text, complete=complete) == answer


@settings(deadline=None)
@given(st.text("0123456789+-=:;#\n"), st.booleans())
async def test_an_answer_is_always_a_number(text: str, complete: bool) -> None:
    answer = TASK.read_answer(text, complete=complete)
    assert answer is None or str(int(answer)).lstrip("-") in answer


@settings(deadline=None)
@given(st.integers(-9999, 9999), st.integers(-9999, 9999))
async def test_answers_are_compared_as_numbers(one: int, other: int) -> None:
    assert TASK.same(str(one), f" {other} ") == (one == other)
    assert TASK.same(f"{one:05d}", str(one))


@settings(deadline=None)
@given(st.text(), st.text())
async def test_any_text_equals_itself(one: str, other: str) -> None:
    assert TASK.same(one, one)
    assert TASK.same(one, other) == TASK.same(other, one)


async def test_numbers_of_any_length_are_compared() -> None:
    assert not TASK.same("9" * 100_000, "1")
