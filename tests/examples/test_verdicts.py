"""The items that the bundled judge learns from. The graph presents items in the same form."""

import random
import re

import pytest
import verdicts
import world

from egrm_graph.benchmark.held_out import held_out
from egrm_graph.prompting import Prompts
from egrm_graph.settings import RunSettings, TaskName
from egrm_graph.tasks import Task, task_named

CALLS = {"answer_fast": None, "expand_cot": None}
QUESTION = world.Question((47, 38, -6), 5)
RIGHT, WRONG = "47+30=77;77+8=85;85-6=79;#79", "#78"


def item(candidates: tuple[str, ...], right: tuple[bool, ...]) -> verdicts.Item:
    return verdicts.Item(QUESTION, candidates, right)


def test_an_item_has_letters_and_bars_and_then_the_question() -> None:
    assert item((RIGHT, WRONG), (True, False)).text == f"{RIGHT}A|#78B|47+38-6"


@pytest.mark.parametrize(
    ("right", "verdict"),
    [
        ((True,), "A"),
        ((False,), "="),
        ((True, False), "A"),
        ((False, True), "B"),
        ((True, True), "="),
        ((False, False), "="),
        ((False, False, True, False), "C"),
    ],
)
def test_the_verdict_is_the_letter_of_the_right_candidate(right: tuple[bool, ...], verdict: str) -> None:
    assert item(tuple(str(i) for i in range(len(right))), right).verdict == verdict


def test_a_fast_verdict_follows_the_sum_and_a_reasoned_one_the_worked_sum() -> None:
    pair = item((RIGHT, WRONG), (True, False))
    assert pair.completion(verdicts.FAST) == "79A"
    assert pair.completion(verdicts.REASONED) == "47+30=77;77+8=85;85-6=79;#79A"


def test_drawn_items_have_right_marks() -> None:
    rng = random.Random(0)
    questions = world.stream(rng, "train")
    for _ in range(300):
        drawn = verdicts.draw(next(questions), rng)
        answer = str(drawn.question.answer)
        assert len(set(drawn.candidates)) == len(drawn.candidates)
        for candidate, right in zip(drawn.candidates, drawn.right, strict=True):
            assert (candidate.strip("_").rpartition("#")[2].strip("_") == answer) == right


@pytest.mark.parametrize(("name", "n"), [("pairwise", 2), ("best_of_n", 4), ("pointwise", 1)])
def test_the_graph_writes_an_item_as_in_the_training(name: str, n: int) -> None:
    """One of its orders is that of the training, and each letter is read as a verdict for its candidate."""
    rng = random.Random(1)
    task: Task = task_named(name, bundled="sums")
    prompts = Prompts.load("auto", task.prompts, task.variables, CALLS)
    for _ in range(20):
        drawn = verdicts.draw(next(world.stream(rng, "test")), rng, n)
        inputs = {"question": drawn.question.text, "candidates": list(drawn.candidates)}
        subject = task.ask(inputs, RunSettings())
        written = set()
        for view in task.views(subject, RunSettings(), n):
            [fast] = prompts.render("answer_fast", view["variables"])
            [path] = prompts.render("expand_cot", view["variables"])
            assert fast["content"][:-1] == path["content"][:-1]
            assert (fast["content"][-1], path["content"][-1]) == (verdicts.FAST, verdicts.REASONED)
            written.add(fast["content"][:-1])
            for text in (drawn.completion(verdicts.FAST), drawn.completion(verdicts.REASONED)):
                assert task.read(text[:-1] + view["labels"][0], view, fast=True) == view["outcomes"][0]
                assert task.graded(subject, view, text) == (drawn.question.text, text[:-1])
        assert n > 2 or drawn.text in written


def test_a_reference_replaces_the_sum_of_the_model() -> None:
    task = task_named("pairwise", bundled="sums")
    inputs = {"question": "47+38-6", "candidates": [RIGHT, WRONG], "reference": "79"}
    view = task.views(task.ask(inputs, RunSettings()), RunSettings(), 1)[0]
    for call in CALLS:
        [message] = Prompts.load("auto", task.prompts, task.variables, CALLS).render(call, view["variables"])
        assert message["content"].endswith("|47+38-6=79")
    assert task.read(view["labels"][1], view, fast=True) == view["outcomes"][1]


@pytest.mark.parametrize(("task", "n"), [("pairwise", 2), ("best_of_n", 4)])
def test_the_packaged_items_are_on_the_test_side_with_right_verdicts(task: TaskName, n: int) -> None:
    items = held_out(1000, task)
    assert len({item.text for item in items}) == 1000
    for item in items:
        terms = tuple(int(term) for term in re.findall(r"-?[0-9]+", item.text))
        assert world.Question(terms, int(item.level)).side == "test"
        right = [int(re.findall("-?[0-9]+", candidate)[-1]) == sum(terms) for candidate in item.candidates]
        assert len(right) == n
        winners = ["ABCD"[i] for i in range(n) if right[i]]
        assert item.reference == (winners[0] if len(winners) == 1 else "tie")
