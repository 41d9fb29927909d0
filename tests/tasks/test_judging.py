"""Views of the candidates: their orders, how often each is used, and their code."""

from collections import Counter
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, ToolCall

from egrm_graph.deciding.outcomes import outcome_names
from egrm_graph.errors import InputError
from egrm_graph.settings import RunSettings, TaskName
from egrm_graph.tasks import task_named
from egrm_graph.tasks.judging import Judging
from egrm_graph.verification import Judged, Subject, View

DEFAULT = RunSettings()


def ask(task: TaskName, candidates: Sequence[Any], settings: RunSettings = DEFAULT, **inputs: Any) -> Subject:
    return task_named(task).ask({"question": "17+48?", "candidates": candidates, **inputs}, settings)


def judged(task: TaskName, candidates: Sequence[Any], settings: RunSettings = DEFAULT) -> Judged:
    found = ask(task, candidates, settings)["judged"]
    assert found is not None
    return found


def views(task: TaskName, n_candidates: int, n: int, among: Sequence[str] = ()) -> list[View]:
    subject = ask(task, [f"text {i}" for i in range(n_candidates)])
    return task_named(task).views(subject, DEFAULT, n, among)


@pytest.mark.parametrize(("n", "n_per_order"), [(1, 1), (2, 1), (4, 2), (5, 3)])
def test_two_candidates_are_shown_in_both_orders_equally_often(n: int, n_per_order: int) -> None:
    one, other = views("pairwise", 2, n)
    assert (one["order"], one["samples"], other["samples"]) == (other["order"][::-1], n_per_order, n_per_order)


@pytest.mark.parametrize(("n_candidates", "n", "samples"), [(3, 5, [2, 2, 1]), (3, 6, [2, 2, 2]), (4, 2, [1, 1])])
def test_several_candidates_are_rotated(n_candidates: int, n: int, samples: list[int]) -> None:
    found = views("best_of_n", n_candidates, n)
    assert [view["samples"] for view in found] == samples
    first_order = found[0]["order"]
    for view in found:
        k = first_order.index(view["order"][0])
        assert view["order"] == first_order[k:] + first_order[:k]


@given(n_candidates=st.integers(2, 64), n=st.integers(1, 40))
def test_candidates_share_each_place_evenly(n_candidates: int, n: int) -> None:
    found = views("best_of_n", n_candidates, n)
    assert sum(view["samples"] for view in found) == (n + n % 2 if n_candidates == 2 else n)
    for place in range(n_candidates):
        counts = Counter(dict.fromkeys(found[0]["order"], 0))
        for view in found:
            counts[view["order"][place]] += view["samples"]
        assert max(counts.values()) - min(counts.values()) <= 1


def test_labels_follow_the_order_of_the_view() -> None:
    for view in views("pairwise", 2, 2):
        assert (view["labels"], view["outcomes"]) == (["A", "B", "C"], [*view["order"], "tie"])
        texts_in_view = [fenced.split("\n")[1] for fenced in view["variables"]["candidates"]]
        assert texts_in_view == [{"A": "text 0", "B": "text 1"}[name] for name in view["order"]]
    assert all(view["outcomes"] == view["order"] for view in views("best_of_n", 3, 3))


def test_a_label_is_read_as_the_candidate_that_it_represents() -> None:
    task = task_named("pairwise")
    for view in views("pairwise", 2, 2):
        assert [task.read(label, view, fast=True) for label in "ABC"] == [*view["order"], "tie"]
        assert task.read(f"{view['code']}: A", view, fast=False) == view["order"][0]


def test_a_judgment_names_candidates_instead_of_labels() -> None:
    task = task_named("pairwise")
    assert isinstance(task, Judging)
    for view in views("pairwise", 2, 2):
        code, (first, second) = view["code"], view["order"]
        unit = "### {0} {1}. Principle of P{1}: rule\nJudgment: text\n{0} Sub-Verdict: {2}\n"
        text = "".join(unit.format(code, k, label) for k, label in enumerate(("A", "B", "C", "MIXED")))
        judgment = task.read_judgment(f"{text}{code}: B", view)
        assert [unit.sub_verdict for unit in judgment.units] == [first, second, "tie", "MIXED"]
        assert judgment.verdict == second == task.read(f"{code}: B", view, fast=False)


def test_only_contested_candidates_are_shown_if_there_are_at_least_two() -> None:
    assert {frozenset(view["order"]) for view in views("best_of_n", 5, 4, ["B", "E"])} == {frozenset("BE")}
    assert [view["labels"] for view in views("best_of_n", 5, 4, ["B", "E"])] == [["A", "B"]] * 2
    assert {len(view["order"]) for view in views("best_of_n", 5, 4, ["B"])} == {5}


texts = st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=5)


@given(texts, st.randoms(use_true_random=False))
def test_views_do_not_depend_on_the_order_of_the_input(candidates: list[str], draw: Any) -> None:
    def views_of(order: Sequence[str]) -> Any:
        subject = ask("best_of_n", order)
        return subject["key"], [view["variables"] for view in task_named("best_of_n").views(subject, DEFAULT, 5)]

    shuffled = list(candidates)
    draw.shuffle(shuffled)
    assert views_of(shuffled) == views_of(candidates)


def test_which_of_equal_calls_is_shown_does_not_depend_on_the_order() -> None:
    calls = [AIMessage("", tool_calls=[ToolCall(name="a", args={"x": x}, id=str(x))]) for x in range(3)]
    settings = RunSettings(tool_votes="name")
    found = set()
    for order in permutations([*calls, AIMessage("no call")]):
        subject = ask("tool_calls", order, settings)
        assert subject["judged"] is not None
        found.add((subject["key"], subject["judged"]["code"]))
    assert len(found) == 1


def test_equal_candidates_are_shown_once() -> None:
    found = judged("best_of_n", ["65", "66", " 65"])
    assert found["same_as"] == [2, 1, 2]  # " 65" sorts before "65"
    assert sorted(found["items"]) == [1, 2]


def test_unfit_candidates_are_not_judged() -> None:
    found = judged("best_of_n", ["65", "", AIMessage([{"type": "image", "url": "x"}]), "66"])
    assert sorted(found["items"]) == [0, 3]
    assert [reason is not None for reason in found["unfit"]] == [False, True, True, False]


@pytest.mark.parametrize(
    ("task", "candidates", "asks"),
    [
        ("pairwise", ["65", "66"], True),
        ("pairwise", ["65", "65 "], False),
        ("pairwise", ["65", ""], False),
        ("pointwise", ["65"], True),
        ("pointwise", [""], False),
    ],
)
def test_a_model_is_asked_only_if_there_is_something_to_judge(
    task: TaskName, candidates: list[str], asks: bool
) -> None:
    judging = task_named(task)
    assert isinstance(judging, Judging)
    assert judging.comparable(judged(task, candidates)) is asks


def test_the_code_depends_on_every_part_of_the_view() -> None:
    def code(candidates: Sequence[str], **inputs: Any) -> str:
        found = ask("pairwise", candidates, **inputs)["judged"]
        assert found is not None
        return found["code"]

    pair = ["65", "66"]
    codes = [
        code(pair),
        code(["65", "67"]),
        code(pair, reference="65"),
        code(pair, rubric="be brief"),
        code(pair, messages=[("user", "hello")]),
        code(pair, tools=[{"name": "add"}]),
    ]
    assert len(set(codes)) == 6
    assert code(pair[::-1]) == codes[0]


@pytest.mark.parametrize(("n", "names"), [(2, ["A", "B"]), (27, [str(i + 1) for i in range(27)])])
def test_candidates_are_named_by_letters_or_numbers(n: int, names: list[str]) -> None:
    assert outcome_names(judged("best_of_n" if n > 2 else "pairwise", [f"t{i}" for i in range(n)])) == names


@pytest.mark.parametrize(
    ("task", "inputs", "message"),
    [
        ("pairwise", {"question": "q"}, "the task pairwise judges 'candidates'"),
        ("pairwise", {"question": "q", "candidates": ["a"]}, "the task pairwise takes 2 candidates, not 1"),
        ("pairwise", {"question": "q", "candidates": ["a", "b", "c"]}, "takes 2 candidates, not 3"),
        ("best_of_n", {"question": "q", "candidates": ["a"]}, "takes 2 to 64 candidates, not 1"),
        ("pointwise", {"question": "q", "candidates": ["a", "b"]}, "takes 1 candidates, not 2"),
        ("pairwise", {"candidates": ["a", "b"]}, "there is nothing to ask"),
        ("tool_calls", {"candidates": ["a", "b"]}, "the input has nothing to judge by"),
        ("pairwise", {"question": 7, "candidates": ["a", "b"]}, "the question has to be text, not int"),
        ("pairwise", {"question": "q", "candidates": ["a", "b"], "rubric": 7}, "rubric=7 is int"),
    ],
)
def test_input_that_cannot_be_judged_is_refused(task: TaskName, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        task_named(task).ask(inputs, DEFAULT)


class Ranking(Judging):
    name = "ranking"
    single_label = False


def test_a_verdict_that_is_more_than_a_label_has_no_label_probabilities_to_read() -> None:
    subject = Ranking().ask({"question": "Which is best?", "candidates": ["1", "2", "3"]}, DEFAULT)
    assert [view["label_alone"] for view in Ranking().views(subject, DEFAULT, 3)] == [False] * 3
    assert Ranking().provides == {"orders"}
