import pytest

from egrm_graph.benchmark.bench_figures import BenchRow, rows
from egrm_graph.benchmark.bench_folder import MethodResult
from egrm_graph.errors import InputError


def results(
    method: str, right: str, tokens: int, *, escalated: str = "....", paths: tuple[int, int] = (0, 0)
) -> list[MethodResult]:
    """A result for each mark: 1 in `right` for a right answer, x in `escalated` for a reasoned one. Question i has i
    unreadable fast answers of 5, and `paths`: how many, and how many of them are unreadable."""
    return [
        MethodResult(method, f"q{i}", mark == "1", tokens, 2, route == "x", "ok", float(i), 5, i, *paths)
        for i, (mark, route) in enumerate(zip(right, escalated, strict=True))
    ]


NEVER = results("never", "1100", 10)
ALWAYS = results("always", "1110", 100, escalated="xxxx")
GATED = results("egrm", "1100", 40, escalated="x...")


def by_name(made: list[BenchRow]) -> dict[str, BenchRow]:
    return {row.method: row for row in made}


def test_a_row_has_means_of_all_questions() -> None:
    (row,) = rows(NEVER, ["never"])
    assert (row.accuracy.value, row.tokens.value, row.escalated, row.cancelled_tokens, row.failed) == (0.5, 10, 0, 2, 0)
    assert row.p50_s == 1.5
    assert row.p95_s == pytest.approx(2.85)


def test_the_share_of_unreadable_texts_is_over_all_questions() -> None:
    (row,) = rows(results("never", "1100", 10), ["never"])
    assert row.unreadable_fast is not None
    assert row.unreadable_fast.value == (0 + 1 + 2 + 3) / 20
    assert 0 <= row.unreadable_fast.low < row.unreadable_fast.value < row.unreadable_fast.high <= 3 / 5
    assert row.unreadable_paths is None
    (row,) = rows(results("never", "1100", 10, paths=(4, 1)), ["never"])
    assert row.unreadable_paths is not None
    assert (row.unreadable_paths.low, row.unreadable_paths.value, row.unreadable_paths.high) == (0.25, 0.25, 0.25)


def test_points_are_paired_with_always_reasoning() -> None:
    found = by_name(rows(NEVER + ALWAYS, ["never", "always"]))
    assert found["never"].points is not None
    assert found["never"].points.value == pytest.approx(-25)
    assert found["always"].points is None


def test_a_method_falls_short_of_a_cheaper_one_that_is_more_accurate() -> None:
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


def test_the_oracle_reasons_only_where_that_helps_and_is_not_a_rival() -> None:
    found = by_name(rows(NEVER + ALWAYS + GATED, ["never", "always", "egrm", "oracle"]))
    row = found["oracle"]
    assert (row.escalated, row.accuracy.value, row.tokens.value) == (0.25, 0.75, 10 + 0.25 * 100)
    assert found["egrm"].short_of is None


def test_no_method_falls_short_of_one_that_knows_the_correct_answer() -> None:
    found = by_name(rows(results("any@4", "1111", 50) + ALWAYS, ["any@4", "always"]))
    assert found["always"].short_of is None
    assert found["any@4"].accuracy.value == 1.0


def test_only_questions_with_a_result_of_every_method_count() -> None:
    found = by_name(rows(NEVER + ALWAYS[:2], ["never", "always"]))
    assert found["never"].accuracy.value == 1.0
    assert found["never"].questions == 2


def test_a_derived_method_without_its_sources_is_an_error() -> None:
    with pytest.raises(InputError, match="add always, egrm"):
        rows(NEVER, ["never", "random"])


def test_without_a_common_question_there_are_no_figures() -> None:
    with pytest.raises(InputError, match="no question has a result of every method"):
        rows(NEVER, ["never", "always"])
