"""How the bundled mixed judge sees candidates, and how its verdicts are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph import build_graph
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.prompting import Prompts
from egrm_graph.settings import BUNDLED_MIXED_JUDGE, RunSettings, Settings
from egrm_graph.tasks import Judging, task_named
from egrm_graph.tasks.digits_format import DigitsFormat
from egrm_graph.verification import view_of

DIGITS = DigitsFormat()
VIEW = view_of({"context": "?", "candidates": ["30471A", "8812B"]}, 1, labels=("A", "B", "M"))
SETTINGS = RunSettings()


def pairwise() -> Judging:
    task = task_named("pairwise", bundled="digits")
    assert isinstance(task, Judging)
    return task


@pytest.mark.parametrize("text", ["30471", "30471#79", " 0 04\n", "30471#-1"])
def test_a_candidate_is_digits_and_perhaps_an_answer(text: str) -> None:
    assert DIGITS.display(text) == ("".join(text.split()), None)


@pytest.mark.parametrize("text", ["", "#79", "30471A", "30471#79#80", "30471|8812", "47+38", "1" * 13, "٣"])
def test_any_other_text_is_unfit(text: str) -> None:
    reason = "it is not a string of at most 12 digits, with # and an answer after it for a sum"
    assert DIGITS.display(text) == ("", reason)


@given(st.text())
def test_a_candidate_holds_no_bars_or_letters(text: str) -> None:
    assert set(DIGITS.display(text)[0]) <= set("0123456789#-")


@pytest.mark.parametrize(
    ("text", "fast", "label"),
    [
        ("A", True, "A"),
        ("79B", True, "B"),
        ("M", True, "M"),
        ("79", True, None),
        ("79C", True, None),
        ("7 A", True, None),
        (">47+30=77;#77A;A", False, "A"),
        ("30471,8812,B", False, "B"),
        ("#77A", False, None),
    ],
)
def test_a_verdict_is_the_last_character(text: str, label: str | None, *, fast: bool) -> None:
    assert DIGITS.read(text, VIEW, fast=fast, complete=True) == label
    assert DIGITS.read(text, VIEW, fast=fast, complete=False) is None


def test_both_orders_of_a_pair_are_written_as_the_judge_learned_them() -> None:
    task = pairwise()
    subject = task.ask({"question": "47+38-6", "candidates": ["30471#79", "8812#78"]}, SETTINGS)
    prompts = Prompts.load("auto", task.prompts, task.variables, dict.fromkeys(("answer_fast", "expand_cot")))
    views = task.views(subject, SETTINGS, 2)
    texts = {prompts.render("expand_cot", view["variables"])[0]["content"] for view in views}
    assert texts == {"30471#79A|8812#78B|47+38-6:", "8812#78A|30471#79B|47+38-6:"}
    assert prompts.render("answer_fast", views[0]["variables"])[0]["content"].endswith("|47+38-6=")


@pytest.mark.parametrize(
    ("call", "start"), [("expand_cot.breadth", "n"), ("expand_cot.depth", ">"), ("expand_cot.mixed", "")]
)
def test_the_prompt_of_a_structure_writes_the_first_character_of_the_judgment(call: str, start: str) -> None:
    task = pairwise()
    subject = task.ask({"question": "?", "candidates": ["30471", "8812"]}, SETTINGS)
    prompts = Prompts.load("auto", task.prompts, task.variables, {"expand_cot": None, call: None})
    for view in task.views(subject, SETTINGS, 2):
        [plain], [started] = (prompts.render(name, view["variables"]) for name in ("expand_cot", call))
        assert started["content"] == plain["content"] + start


def test_a_judgment_names_outcomes_whatever_the_order() -> None:
    task = pairwise()
    subject = task.ask({"question": "?", "candidates": ["30471", "8812"]}, SETTINGS)
    for view in task.views(subject, SETTINGS, 2):
        first = view["variables"]["candidates"][0]
        judgment = task.read_judgment("e04=2,882=3B;A", view)
        assert judgment.verdict == ("A" if first == "30471A" else "B")
        assert judgment.units[0].sub_verdict != judgment.verdict


def test_a_question_is_a_sum_or_open() -> None:
    assert DIGITS.check(" ? ") == "?"
    assert DIGITS.check("47+38-6") == "47+38-6"
    with pytest.raises(InputError):
        DIGITS.check("Which one?")


def test_a_reference_is_refused() -> None:
    task = pairwise()
    subject = task.ask({"question": "?", "candidates": ["30471", "8812"], "reference": "5"}, SETTINGS)
    with pytest.raises(InputError, match=r"does not read a reference; leave out reference='5'"):
        task.views(subject, SETTINGS, 2)


def test_another_task_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"does not know the task 'best_of_n', it compares two candidates"):
        _ = task_named("best_of_n", bundled="digits").prompts


@pytest.mark.parametrize("model", ["egrm-tiny-mixed-judge", "runs/egrm-tiny-mixed-judge-breadth"])
def test_the_name_of_a_model_says_what_it_reads(model: str) -> None:
    settings = Settings(model=model)
    assert (settings.bundled, settings.task_name) == ("digits", "pairwise")


async def test_the_bundled_mixed_judge_writes_both_structures_and_right_sub_verdicts() -> None:
    graph = build_graph(Settings(model=BUNDLED_MIXED_JUDGE, threshold=1.1, samples=2, paths=8, path_stopping="all"))
    found = await graph.ainvoke({"question": "47+38-6", "candidates": ["30471#79", "8812#78"]})
    judgments = [path["judgment"] for path in found["verification"]["paths"]]
    assert {judgment["structure"] for judgment in judgments} == {"breadth", "depth"}
    assert [judgment["lost"] for judgment in judgments] == [[]] * 8
    expected = {"right answer": "A", "shorter": "B", "larger digit sum": "B", "more even digits": "B"}
    expected |= {"more distinct digits": "A", "more rises": "A"}
    units = [unit for judgment in judgments for unit in judgment["units"]]
    assert sum(unit["sub_verdict"] == expected[unit["principle"]] for unit in units) >= 0.9 * len(units)
