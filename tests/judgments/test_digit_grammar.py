"""Judgments of the bundled mixed judge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egrm_graph.judgments.digit_grammar import PRINCIPLES, read_digit_judgment
from egrm_graph.judgments.judgment import MIXED, Judgment, Unit

LABELS = ("A", "B", "M")
BREADTH = "n30471=5,8812=4B;d3+0=3+4=7+7=14+1=15,8+8=16+1=17+2=19B;e04=2,882=3B;u30471=5,812=3A;r47=2,2=1A;B"
SUM = ">47+30=77;77+8=85;85-6=79;#79A;A"
TASTE = ">r47=2,2=1;e0=1,2=1;r2,1A;e1,1M;A"
RAW = "30471,8812,e04=2,882=3,B"


def read(text: str) -> Judgment:
    return read_digit_judgment(text, LABELS)


def unit(letter: str, judgment: str, sub_verdict: str) -> Unit:
    return Unit(*PRINCIPLES[letter], judgment, sub_verdict)


def test_breadth_has_a_unit_for_each_taste() -> None:
    judgment = read(BREADTH)
    assert [(each.principle, each.sub_verdict) for each in judgment.units] == [
        ("shorter", "B"),
        ("larger digit sum", "B"),
        ("more even digits", "B"),
        ("more distinct digits", "A"),
        ("more rises", "A"),
    ]
    assert judgment.units[2] == unit("e", "04=2,882=3", "B")
    assert (judgment.structure, judgment.majority, judgment.verdict, judgment.lost) == ("breadth", "B", "B", ())


@pytest.mark.parametrize(
    ("text", "solution", "units"),
    [
        (SUM, "47+30=77;77+8=85;85-6=79", (unit("#", "79", "A"),)),
        (TASTE, "r47=2,2=1;e0=1,2=1", (unit("r", "2,1", "A"), unit("e", "1,1", MIXED))),
    ],
)
def test_depth_has_a_derivation_and_units_that_quote_it(text: str, solution: str, units: tuple[Unit, ...]) -> None:
    assert read(text) == Judgment(solution, units, (), "A")
    assert read(text).structure == "depth"


@pytest.mark.parametrize("text", [BREADTH, SUM, TASTE])
def test_a_judgment_whose_first_character_the_prompt_wrote_reads_alike(text: str) -> None:
    assert read(text[1:]) == read(text)


def test_a_raw_rationale_has_a_verdict_and_no_units() -> None:
    assert read(RAW) == Judgment(None, (), (), "B")
    assert read(RAW).structure == "plain"


def test_a_part_that_is_not_a_unit_is_lost_and_changes_nothing_about_the_others() -> None:
    judgment = read("n30471=5,8812=4B;e04=2,882=3;x1,2A;r47=2,2=1A;A")
    assert [each.principle for each in judgment.units] == ["shorter", "more rises"]
    assert [lost.split(" is lost")[0] for lost in judgment.lost] == ["'e04=2,882=3'", "'x1,2A'"]
    assert (judgment.structure, judgment.verdict) == ("plain", "A")


def test_a_first_part_that_no_unit_quotes_is_not_a_derivation() -> None:
    judgment = read("e04=2,882=3;r47=2,2=1A;A")
    assert judgment.solution is None
    assert judgment.lost == ("'e04=2,882=3' is lost: no unit quotes it",)


@pytest.mark.parametrize("text", ["", "C", "e04=2,882=3B;C", "e04=2,882=3B;", "e04=2,882=3B", ">47+30=77;#77A;AB"])
def test_a_text_that_does_not_end_in_a_verdict_has_none(text: str) -> None:
    assert read(text).verdict is None


@given(st.text(alphabet="0123456789+-=,;#>nderuABM"))
def test_every_text_is_read(text: str) -> None:
    judgment = read(text)
    assert judgment.verdict in (None, *LABELS)
    assert all(each.sub_verdict in ("A", "B", MIXED) for each in judgment.units)
