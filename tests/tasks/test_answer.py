import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egrm_graph.errors import InputError
from egrm_graph.settings import TaskName
from egrm_graph.tasks import AnswerTask, Task, task_named

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "answers.json").read_text(encoding="utf-8"))

PIECES = [
    "\\boxed{",
    "}",
    "{",
    "Answer:",
    "the answer is ",
    "<think>",
    "</think>",
    "**",
    "####",
    "\n",
    " ",
    ".",
    "42",
    "$",
]
HOSTILE = [
    *(
        "\\boxed{",
        "\\boxed{}",
        "Answer: ",
        "answer\n",
        "the answer is ",
        "the answer to the the ",
        "**",
        "#### ",
        "<answer>",
    ),
    *(
        '"answer": "',
        "<think>",
        "</think>",
        "<|im_end|>",
        " ",
        "\n",
        "{",
        "}",
        "*_` ",
        "a",
        "9",
        "Answer:\n",
        "$",
        "\\",
        '"',
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
async def test_answers_are_read_from_what_models_print(case: dict[str, Any]) -> None:
    assert AnswerTask().read_answer(case["text"], complete=case["complete"]) == case["answer"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5)).map("".join), st.booleans())
async def test_reading_never_raises_and_is_repeatable(text: str, complete: bool) -> None:
    first = AnswerTask().read_answer(text, complete=complete)
    assert first == AnswerTask().read_answer(text, complete=complete)
    assert first is None or first.strip()


@settings(deadline=None)
@given(st.integers(-10_000, 10_000), st.sampled_from(["Answer: {}", "{}", "the answer is {}", "**{}**", "#### {}"]))
async def test_an_answer_at_the_end_of_a_cut_text_does_not_count(number: int, form: str) -> None:
    assert AnswerTask().read_answer(form.format(number)) == str(number)
    assert AnswerTask().read_answer(form.format(number), complete=False) is None


@pytest.mark.parametrize("piece", HOSTILE)
async def test_a_megabyte_of_hostile_text_is_read_quickly(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    started = time.process_time()
    AnswerTask().read_answer(text)
    AnswerTask(first=True).read_answer(text)
    assert time.process_time() - started < 2


async def test_an_answer_at_the_end_of_a_long_text_is_found() -> None:
    assert AnswerTask().read_answer("We think. " * 10_000 + "\\boxed{7}") == "7"


async def test_a_question_is_stripped() -> None:
    assert AnswerTask().check("  What is 1+1?\n") == "What is 1+1?"


@pytest.mark.parametrize("question", ["", " \n", None, 5])
async def test_a_missing_question_is_refused(question: Any) -> None:
    with pytest.raises(InputError):
        AnswerTask().check(question)


async def test_each_task_has_its_name_and_prompts() -> None:
    names: tuple[tuple[TaskName, str], ...] = (
        ("answer", "default"),
        ("arithmetic", "tiny"),
        ("pairwise", "pairwise"),
        ("best_of_n", "best_of_n"),
        ("tool_calls", "tool_calls"),
        ("pointwise", "pointwise"),
    )
    for name, prompts in names:
        task: Task = task_named(name)
        assert (task.name, task.prompts) == (name, prompts)


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5)).map("".join))
async def test_a_cut_text_has_no_answer(text: str) -> None:
    assert AnswerTask().read_answer(text, complete=False) is None


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5)).map("".join), st.booleans())
async def test_the_first_answer_does_not_depend_on_later_text(text: str, complete: bool) -> None:
    first = "\\boxed{65}\n"
    assert AnswerTask(first=True).read_answer(first + text.replace("<", "").replace("[", ""), complete=complete) == "65"
