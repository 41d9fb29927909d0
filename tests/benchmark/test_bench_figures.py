import pytest

from egrm_graph.benchmark.bench_figures import Row, rows
from egrm_graph.benchmark.bench_folder import Result
from egrm_graph.errors import InputError


def results(strategy: str, right: str, tokens: int, *, escalated: str = "....") -> list[Result]:
    """A result for each letter: 1 for right; x for reasoned about."""
    return [
        Result(strategy, f"q{i}", mark == "1", tokens, 2, way == "x", "ok", float(i))
        for i, (mark, way) in enumerate(zip(right, escalated, strict=True))
    ]


NEVER = results("never", "1100", 10)
ALWAYS = results("always", "1110", 100, escalated="xxxx")
GATED = results("egrm", "1100", 40, escalated="x...")


def by_name(made: list[Row]) -> dict[str, Row]:
    return {row.strategy: row for row in made}


def test_a_row_has_means_of_all_questions() -> None:
    (row,) = rows(NEVER, ["never"])
    assert (row.accuracy.value, row.tokens.value, row.escalated, row.cancelled_tokens, row.failed) == (0.5, 10, 0, 2, 0)
    assert row.p50_s == 1.5
    assert row.p95_s == pytest.approx(2.85)


def test_points_are_paired_with_always_reasoning() -> None:
    found = by_name(rows(NEVER + ALWAYS, ["never", "always"]))
    assert found["never"].points is not None
    assert found["never"].points.value == pytest.approx(-25)
    assert found["always"].points is None


def test_what_is_no_better_than_something_cheaper_is_short_of_it() -> None:
    worse = results("sc@4", "1000", 50)
    found = by_name(rows(NEVER + ALWAYS + worse, ["never", "always", "sc@4"]))
    assert found["never"].short_of is None
    assert found["always"].short_of is None
    assert found["sc@4"].short_of == "never"
    assert found["sc@4"].short_by is not None
    assert found["sc@4"].short_by.value == pytest.approx(25)


def test_the_random_gate_reasons_about_as_many_questions_as_the_gate() -> None:
    found = by_name(rows(NEVER + ALWAYS + GATED, ["never", "always", "egrm", "random"]))
    row = found["random"]
    assert (row.escalated, row.tokens.value) == (0.25, 10 + 0.25 * 100)
    assert row.accuracy.value == pytest.approx(0.75 * 0.5 + 0.25 * 0.75)
    assert (row.p50_s, row.failed, row.cancelled_tokens) == (None, None, None)


def test_the_oracle_gate_reasons_only_where_that_helps_and_is_nobodys_rival() -> None:
    found = by_name(rows(NEVER + ALWAYS + GATED, ["never", "always", "egrm", "oracle"]))
    row = found["oracle"]
    assert (row.escalated, row.accuracy.value, row.tokens.value) == (0.25, 0.75, 10 + 0.25 * 100)
    assert found["egrm"].short_of is None


def test_only_questions_that_every_strategy_was_asked_count() -> None:
    found = by_name(rows(NEVER + ALWAYS[:2], ["never", "always"]))
    assert found["never"].accuracy.value == 1.0


def test_without_what_they_are_worked_out_from_gates_are_refused() -> None:
    with pytest.raises(InputError, match="add always, egrm"):
        rows(NEVER, ["never", "random"])


def test_without_a_common_question_there_are_no_figures() -> None:
    with pytest.raises(InputError, match="no question has a result of every strategy"):
        rows(NEVER, ["never", "always"])
