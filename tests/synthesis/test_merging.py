"""Merging is code: its counts, majorities, order, and quotes, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.judgments.judgment import MIXED, Unit
from egrm_graph.synthesis.grouping import by_name, groups_pattern, read_groups
from egrm_graph.synthesis.merging import MergedUnit, merged_sub_verdict, merged_units
from egrm_graph.synthesis.quotes import invented_quotes, invented_sentences, sentences


@pytest.mark.parametrize(
    ("sub_verdicts", "merged"),
    [
        (["A"], "A"),
        (["A", "A", "B"], "A"),
        (["A", "B"], MIXED),
        (["A", MIXED], MIXED),
        (["A", "A", MIXED], "A"),
        ([MIXED, MIXED, "B"], MIXED),
        (["A", "A", "B", "B", MIXED], MIXED),
    ],
)
def test_the_most_frequent_sub_verdict_counts_and_a_tie_is_mixed(sub_verdicts: list[str], merged: str) -> None:
    assert merged_sub_verdict(sub_verdicts) == merged


def test_a_merged_unit_quotes_the_sources_that_agree_with_it() -> None:
    units = [
        Unit("Tone", "Be kind.", "A is kind.", "A"),
        Unit("Length", "Be brief.", "B is brief.", "B"),
        Unit("Kindness", "Do not be rude.", "A thanks. B does not.", "A"),
        Unit("Manners", "Be polite.", "B is polite.", "B"),
        Unit("Brevity", "Say little.", "A says little.", "A"),
    ]
    assert merged_units(units, ((1, 4), (0, 2, 3))) == [
        MergedUnit(Unit("Tone", "Be kind.", "A is kind.\nA thanks. B does not.", "A"), 3),
        MergedUnit(Unit("Length", "Be brief.", "B is brief.\nA says little.", MIXED), 2),
    ]


def test_the_most_frequent_comes_first_and_the_first_named_of_equals() -> None:
    units = [Unit(name, "R.", "J.", "A") for name in "abcdef"]
    ranked = merged_units(units, ((4, 5), (0,), (2, 3), (1,)))
    assert [(merged.unit.principle, merged.count) for merged in ranked] == [("c", 2), ("e", 2), ("a", 1), ("b", 1)]


TEXTS = st.text('ab .!?\n"', min_size=1, max_size=40)


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["A", "B", MIXED])), min_size=1, max_size=8), st.data())
def test_no_sentence_of_a_merged_judgment_is_new(sources: list[tuple[str, str]], data: st.DataObject) -> None:
    units = [Unit("P", "R.", judgment, sub_verdict) for judgment, sub_verdict in sources]
    of_group = [data.draw(st.integers(0, 2)) for _ in units]
    groups = tuple(tuple(i for i, own in enumerate(of_group) if own == k) for k in sorted(set(of_group)))
    for group in groups:
        [merged] = merged_units([units[i] for i in group], (tuple(range(len(group))),))
        known = [units[i].judgment for i in group]
        assert all(any(sentence in source for source in known) for sentence in sentences(merged.unit.judgment))
    assert sum(merged.count for merged in merged_units(units, groups)) == len(units)


def test_a_sentence_that_is_new_is_found() -> None:
    assert invented_sentences("A is kind. B lies.", ["A is kind. B is not."]) == ["B lies."]
    assert invented_sentences("A is kind.\nB is not.", ["A is kind. B is not."]) == []


@pytest.mark.parametrize(
    ("text", "invented"),
    [
        ('It says "65".', []),
        ("It says “it IS\u00a065” twice.", []),
        ('It says "It ... 65!"', []),
        ('It says "64".', ["64"]),
        ('It says "65" and "of course".', ["of course"]),
        ("It says 64, without marks.", []),
        ('One mark " alone.', []),
    ],
)
def test_a_quotation_has_to_be_in_a_source(text: str, invented: list[str]) -> None:
    assert invented_quotes(text, ["It is 65.", "Else."]) == invented


def test_parts_of_a_quotation_have_to_be_in_one_source() -> None:
    assert invented_quotes('"It is ... else"', ["It is 65.", "Else."]) == ["It is ... else"]


FIVE = ("tone", "truth", "length", "style", "form")


def test_groups_are_read_from_signed_lines_alone() -> None:
    read = read_groups("Group 3=2\n**0badc0de: 3 = 1**\n0badc0de: 4=4", "0badc0de", [2, 2], FIVE)
    assert read == (((0, 2), (1,), (3,)), ())


def test_units_are_equal_through_others() -> None:
    read = read_groups("0badc0de: 3=2, 4=3, 5=4", "0badc0de", [2, 1, 1, 1], FIVE)
    assert read == (((0,), (1, 2, 3, 4)), ())


def test_what_cannot_be_is_reported_and_costs_nothing_more() -> None:
    text = "0badc0de: 1=1, 9=1\n0badc0de: 1=2, 2=1, 4=3, 3=0\n0badc0de: Tone 3=1"
    read = read_groups(text, "0badc0de", [2, 3], FIVE)
    assert read.groups == ((0,), (1,), (2,), (3,), (4,))
    assert [(loss.cause, loss.detail) for loss in read.losses] == [
        ("a pair names an unknown unit", "9=1, of 5 units"),
        ("a unit is named twice", "1=2"),
        ("a pair makes units of one rationale equal", "2=1"),
        ("a pair makes units of one rationale equal", "4=3"),
        ("a pair names an unknown unit", "3=0, of 5 units"),
        ("a signed line has more than pairs of numbers", "0badc0de: Tone 3=1"),
        ("a unit is in no pair", "3"),
        ("a unit is in no pair", "4"),
        ("a unit is in no pair", "5"),
    ]


def test_two_units_of_a_rationale_are_never_equal_to_the_same_one() -> None:
    read = read_groups("0badc0de: 2=1, 3=1, 4=1, 5=5", "0badc0de", [1, 2, 2], FIVE)
    assert read.groups == ((0, 1, 3), (2,), (4,))
    assert [(loss.cause, loss.detail) for loss in read.losses] == [
        ("a pair makes units of one rationale equal", "3=1"),
        ("a unit is in no pair", "3"),
    ]


def test_a_unit_without_a_pair_equals_the_one_with_its_name() -> None:
    names = ("tone", "truth", "truth", "tone")
    read = read_groups("0badc0de: 4=4", "0badc0de", [2, 2], names)
    assert read.groups == ((0,), (1, 2), (3,))
    assert [loss.cause for loss in read.losses] == ["a unit is in no pair"]


@given(st.from_regex(groups_pattern("0badc0de", [2, 1, 2]), fullmatch=True))
def test_what_the_pattern_allows_has_only_pairs_that_can_be_read(text: str) -> None:
    causes = {loss.cause for loss in read_groups(text, "0badc0de", [2, 1, 2], FIVE).losses}
    assert causes <= {"a pair makes units of one rationale equal", "a unit is in no pair"}


@given(st.text("0badc0de:=, 129\n"), st.lists(st.integers(1, 3), min_size=2, max_size=3))
def test_every_unit_is_in_exactly_one_group(text: str, sizes: list[int]) -> None:
    names = [f"name {k // 2}" for k in range(sum(sizes))]
    groups = read_groups(text, "0badc0de", sizes, names).groups
    assert sorted(place for group in groups for place in group) == list(range(sum(sizes)))


def test_units_with_the_same_name_form_a_group_without_a_model() -> None:
    assert by_name(["tone", "truth", "tone"]) == ((0, 2), (1,))
