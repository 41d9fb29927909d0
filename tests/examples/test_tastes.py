"""Pairs of two domains, and judgments of them: the graph reads what the mixed judge learns."""

import random

import numpy as np
import pytest
import structures
import tastes
import world
from hypothesis import given
from hypothesis import strategies as st
from make_judgments import STYLES, judgment_rows, pair_rows, pairs
from tastes import DOMAINS, NEUTRAL, TASTES, Domain, Pair

from egrm_graph.judgments.digit_grammar import PRINCIPLES, read_digit_judgment
from egrm_graph.judgments.judgment import MIXED

PREFERENCE = Pair("preference", ("30471", "8812"), None, None, "B")
CORRECTNESS = Pair("correctness", ("30471", "8812"), (79, 78), world.Question((47, 38, -6), 5), "A")


def drawn(seed: int) -> list[Pair]:
    rng = random.Random(seed)
    return [next(tastes.stream(rng, "train", domain)) for domain in DOMAINS]


def test_a_pair_is_written_with_letters_and_bars_and_then_the_question() -> None:
    assert PREFERENCE.text == "30471A|8812B|?"
    assert CORRECTNESS.text == "30471#79A|8812#78B|47+38-6"


def test_each_taste_prefers_what_its_name_says() -> None:
    assert {taste.name: taste.prefers("30471", "8812") for taste in TASTES} == {
        "shorter": "B",
        "larger digit sum": "B",
        "more even digits": "B",
        "more distinct digits": "A",
        "more rises": "A",
    }
    assert TASTES[2].prefers("12", "21") == "M"


def test_judgments_in_each_structure() -> None:
    breadth = "n30471=5,8812=4B;d3+0=3+4=7+7=14+1=15,8+8=16+1=17+2=19B;e04=2,882=3B;u30471=5,812=3A;r47=2,2=1A;B"
    assert structures.breadth(PREFERENCE).text == structures.breadth(CORRECTNESS).text == breadth
    rng = random.Random(0)
    assert structures.depth(CORRECTNESS, rng).text == ">47+30=77;77+8=85;85-6=79;#79A;A"
    derived = {structures.depth(PREFERENCE, rng).text for _ in range(300)}
    assert ">e04=2,882=3;e2,3B;B" in derived
    assert ">r47=2,2=1;u30471=5,812=3;r2,1A;u5,3A;A" in derived


def test_depth_without_its_derivation_has_the_same_units() -> None:
    assert structures.depth(CORRECTNESS, random.Random(0), derived=False).text == "#79A;A"
    for seed in range(30):
        depth = structures.depth(PREFERENCE, random.Random(seed))
        units = structures.depth(PREFERENCE, random.Random(seed), derived=False)
        assert depth.text.endswith(units.text)
        assert units.text.count(";") * 2 == depth.text.count(";")
        assert units.verdict == depth.verdict


def test_rationales_that_are_not_merged_follow_each_other_and_vote() -> None:
    for seed in range(30):
        rng, units, verdicts = random.Random(seed), "", list[tastes.Outcome]()
        while len(verdicts) < 3 or verdicts.count("A") == verdicts.count("B"):
            rationale = structures.breadth(PREFERENCE, structures.named(PREFERENCE, rng))
            units += rationale.text[:-1]
            verdicts.append(rationale.verdict)
        winner = tastes.majority(verdicts)
        assert structures.unmerged(PREFERENCE, random.Random(seed), 3) == structures.Written(units + winner, winner)


@given(st.integers(0, 2**32))
def test_judgments_read_as_the_structure_that_they_have(seed: int) -> None:
    rng = random.Random(seed)
    for pair in drawn(seed):
        breadth, depth, raw = structures.breadth(pair), structures.depth(pair, rng), structures.raw(pair, rng)
        for written, structure in ((breadth, "breadth"), (depth, "depth"), (raw, "plain")):
            read = read_digit_judgment(written.text, ("A", "B", "M"))
            assert (read.structure, read.verdict, read.lost) == (structure, written.verdict, ())
        assert [unit.sub_verdict.replace(MIXED, "M") for unit in read_digit_judgment(breadth.text, "ABM").units] == [
            *pair.tastes
        ]
        assert read_digit_judgment(breadth.text, "ABM").consistent
        assert read_digit_judgment(depth.text, "ABM").consistent


def test_the_reader_knows_the_principles_by_the_same_names() -> None:
    assert [(taste.letter, taste.name) for taste in TASTES] == [
        (letter, name) for letter, (name, _) in PRINCIPLES.items() if letter != structures.ANSWER
    ]


@given(st.integers(0, 2**32))
def test_the_order_of_the_candidates_does_not_change_the_side(seed: int) -> None:
    for pair in drawn(seed):
        assert tastes.side_of(*pair.digits) == tastes.side_of(*reversed(pair.digits)) == "train"
        assert pair.sum is None or pair.sum.side == "train"


@given(st.integers(0, 2**32))
def test_one_answer_to_a_sum_is_right(seed: int) -> None:
    pair = drawn(seed)[DOMAINS.index("correctness")]
    assert pair.sum is not None
    assert pair.answers is not None
    assert [answer == pair.sum.answer for answer in pair.answers] == [pair.label == letter for letter in "AB"]


def test_labels_agree_with_most_tastes_as_often_as_planted() -> None:
    shares: dict[Domain, float] = {"preference": 0.95, "correctness": 0.8}
    for domain, planted in shares.items():
        found = tastes.sample(1500, "train", domain, seed=1)
        agree = np.mean([tastes.majority(pair.tastes) == pair.label for pair in found])
        assert abs(agree - planted) < 4 * np.sqrt(planted * (1 - planted) / 1500)


def test_every_structure_is_right_in_the_neutral_world() -> None:
    rng = random.Random(0)
    for domain in DOMAINS:
        for pair in tastes.sample(30, "train", domain, seed=1, planted=NEUTRAL):
            assert {judge(pair, rng).verdict for judge in STYLES.values()} == {pair.label}


def test_rows_name_their_domain_and_styles_share_their_pairs() -> None:
    drawn_pairs = pairs(20, "validation")
    rows = pair_rows("validation", drawn_pairs)
    assert [row["domain"] for row in rows[:2]] == list(DOMAINS)
    for style in STYLES:
        judgments = judgment_rows("validation", drawn_pairs, style)
        assert [row["id"] for row in judgments] == [row["id"] for row in rows]
        right = judgment_rows("validation", drawn_pairs, style, right_only=True)
        assert [row for row in judgments if str(row["completion"])[-1] == row["label"]] == right


@pytest.mark.parametrize("rationales", [1, 2, 4])
def test_merging_more_rationales_covers_more_tastes(rationales: int) -> None:
    unanimous = Pair("preference", ("2468", "11111"), None, None, "A")
    rng = random.Random(0)
    counts = [structures.merged(unanimous, rng, rationales).text.count(";") for _ in range(600)]
    named = (1 * 2 + 2 * 1 + 3 * 1) / 4  # tastes in one rationale, on average
    assert np.mean(counts) == pytest.approx(5 * (1 - (1 - named / 5) ** rationales), abs=0.15)
