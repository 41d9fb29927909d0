"""Judged pairs, and the control with shuffled labels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.errors import InputError
from egrm_graph.fine_tuning.judged_pairs import JudgedPair, read_pairs, with_shuffled_labels
from tests.fine_tuning.small import pair, save_rows

PAIR: dict[str, Any] = {"question": "1+1", "candidates": ["2", "3"], "reference": "A"}


async def test_pairs_are_read_with_their_domain(tmp_path: Path) -> None:
    [found] = read_pairs(save_rows(tmp_path / "pairs", [{**PAIR, "domain": "preference", "level": 3}]))
    assert (found.reference, found.domain, found.candidates) == ("A", "preference", ("2", "3"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "C"}, "line 1: .*reference='C' names no candidate; use one of A, B, tie"),
        ({"candidates": ["2"]}, "candidates"),
        ({"question": ""}, "question"),
        ({"domain": "taste"}, "domain"),
    ],
)
async def test_other_rows_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pairs(save_rows(tmp_path / "pairs", [{**PAIR, **changes}]))


async def test_an_empty_file_has_no_pairs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no pairs; write one with a question, candidates, and a reference"):
        read_pairs(save_rows(tmp_path / "pairs", []))


async def test_shuffled_labels_say_nothing_about_a_pair_and_keep_each_domain() -> None:
    pairs = [pair(i, domain=("preference", "correctness")[i % 4 // 2]) for i in range(400)]
    shuffled = with_shuffled_labels(pairs, 0)
    assert counted(shuffled) == counted(pairs)
    assert [each.candidates for each in shuffled] == [each.candidates for each in pairs]
    agree = sum(one.reference == other.reference for one, other in zip(pairs, shuffled, strict=True))
    assert 160 < agree < 240  # half, by chance
    assert shuffled == with_shuffled_labels(pairs, 0) != with_shuffled_labels(pairs, 1)


def counted(pairs: list[JudgedPair]) -> Counter[tuple[str | None, str]]:
    return Counter((each.domain, each.reference) for each in pairs)
