"""The figures of the demo, on outcomes that can be computed by hand."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from egrm_graph.benchmark.demo_figures import compare, report, rows
from egrm_graph.benchmark.demo_methods import Outcome, Trial, demo_methods, run_method
from egrm_graph.benchmark.held_out import BenchQuestion, held_out
from egrm_graph.cli.comparison_table import print_tables
from egrm_graph.clients.scripted import Item, ScriptedClient
from egrm_graph.errors import InputError
from egrm_graph.parts import assemble
from egrm_graph.settings import Settings

QUESTIONS = [BenchQuestion(str(i), f"{i}+1", str(i + 1), level=1 + i % 2) for i in range(4)]


def trial(name: str, *outcomes: Outcome) -> Trial:
    return Trial(name, QUESTIONS, list(outcomes), seconds=1.0)


ALWAYS = trial(
    "always reason",
    Outcome(True, 100, True, "ok", majority_right=True, best_right=True),
    Outcome(True, 100, True, "ok", majority_right=False, best_right=True),
    Outcome(False, 100, True, "ok", majority_right=False, best_right=True),
    Outcome(False, 100, True, "degraded", majority_right=False, best_right=False),
)
GATED = trial(
    "E-GRM",
    Outcome(True, 10, False, "ok"),
    Outcome(True, 110, True, "ok"),
    Outcome(True, 10, False, "ok"),
    Outcome(False, 70, True, "degraded"),
)


def test_e_grm_against_always_reasoning() -> None:
    found = compare(GATED, ALWAYS)
    assert found.accuracy_points.value == 25  # 3 of 4 against 2 of 4
    assert found.tokens_ratio.value == 0.5  # 200 of 400


def test_the_scorer_closes_half_of_the_gap_between_the_majority_and_the_best() -> None:
    found = compare(GATED, ALWAYS)
    assert (found.majority.value, found.chosen.value, found.best.value) == (0.25, 0.5, 0.75)
    assert found.gap_closed.value == 0.5


def test_rows_cover_all_questions_or_one_level() -> None:
    (row,) = rows([GATED], QUESTIONS)
    assert (row.accuracy.value, row.tokens, row.escalated, row.failed, row.seconds) == (0.75, 50, 0.5, 1, 1.0)
    (row,) = rows([GATED], QUESTIONS, level=2)
    assert (row.accuracy.value, row.tokens, row.escalated, row.failed, row.seconds) == (0.5, 90, 1.0, 1, None)


def test_pairs_have_a_second_accuracy_by_rewardbench() -> None:
    pairs = [replace(question, candidates=("1", "2")) for question in QUESTIONS]
    scores = (1.0, 0.5, 1.0, 0.0)
    gated, always = (
        replace(each, outcomes=[replace(o, rewardbench=score) for o, score in zip(each.outcomes, scores, strict=True)])
        for each in (GATED, ALWAYS)
    )
    assert [row.rewardbench and row.rewardbench.value for row in rows([gated, GATED], pairs)] == [0.625, None]
    out = io.StringIO()
    print_tables([gated, always], pairs, Console(file=out, width=200), levels=True, scorer=None)
    assert out.getvalue().count("by RewardBench") == 4  # three tables and a note
    assert "62.5 % [" in out.getvalue()


def test_the_report_has_every_level() -> None:
    figures = report([GATED, ALWAYS], QUESTIONS)
    assert (figures["questions"], sorted(figures["levels"])) == (4, [1, 2])


def test_no_more_held_out_questions_than_exist_can_be_asked() -> None:
    assert [question.id for question in held_out(2)] == ["held-out-0000", "held-out-0001"]
    with pytest.raises(InputError, match="--questions 1001 is more than the 1000"):
        held_out(1001)


async def test_each_of_the_three_methods_draws_what_its_name_says() -> None:
    right, wrong = "1+1=2;#2", "1+1=3;#3"
    fast: list[Item] = ["3", "2", "3", "2", "3"]
    client = ScriptedClient(fast=fast, paths=[right, wrong, right, right])
    parts = assemble(Settings(preset="published", task="arithmetic"), client, None)
    done: list[None] = []
    trials = [await run_method(method, QUESTIONS[1:2], 1, lambda: done.append(None)) for method in demo_methods(parts)]
    never, always, gated = (trial.outcomes[0] for trial in trials)
    n_fast, n_paths = len("".join(map(str, fast))), 4 * len(right)
    assert (never.right, never.completion_tokens, never.escalated) == (False, n_fast, False)
    assert (always.right, always.completion_tokens, always.escalated) == (True, n_paths, True)
    assert (always.majority_right, always.best_right) == (True, True)
    # After two votes against two, a fifth fast answer of one token cannot make four of five, and is not drawn.
    assert (gated.right, gated.completion_tokens, gated.escalated) == (True, n_fast - 1 + n_paths, True)
    assert len(done) == 3


async def test_always_and_gated_draw_the_same_paths_of_a_question() -> None:
    seeds: dict[str, list[int]] = {}

    def note(_: object, seed: int, request_id: str) -> str:
        run_id, node, _i = request_id.rsplit(".", 2)
        if node == "expand_cot":
            seeds.setdefault(run_id, []).append(seed)
        return str(seed)

    parts = assemble(Settings(preset="published", task="arithmetic"), ScriptedClient(note), None)
    for method in demo_methods(parts)[1:]:
        await method.answer(QUESTIONS[0])
    always, gated = seeds.values()
    assert always == gated


async def test_always_reasoning_draws_all_paths_even_if_the_settings_stop_them() -> None:
    paths: list[Item] = ["1+1=2;#2"] * 4
    client = ScriptedClient(fast=["3", "2", "3", "2", "3"], paths=paths)
    parts = assemble(Settings(preset="published", task="arithmetic", path_stopping="sequential"), client, None)
    _, always, gated = [await method.answer(QUESTIONS[1]) for method in demo_methods(parts)]
    # Three paths that agree are enough for the rule.
    assert (always.paths.n, gated.paths.n) == (4, 3)
