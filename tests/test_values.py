"""Tests for writing Python values as text that JSON lines cannot hold."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel

from egrm_graph.errors import InputError
from egrm_graph.values import full_text, plain_text


class Sum(BaseModel):
    terms: list[int]
    value: int | None


@dataclass
class Fraction:
    above: int
    below: int


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)
LONG = (10**5000,)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("65", "65"),
        (" 65\n", " 65\n"),
        (True, "true"),
        (np.bool_(False), "false"),
        (np.int64(65), "65"),
        (np.float32(65), "65"),
        (torch.tensor(6.5), "6.5"),
        (2**53 + 1, "9007199254740993"),
        (2.0**60, "1.152921504606847e+18"),
    ],
)
def test_numbers_are_written_like_json(value: Any, text: str) -> None:
    assert plain_text(value, "reference") == full_text(value, "reference") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Sum(terms=[17, 48], value=None), '{"terms": [17, 48], "value": null}'),
        ([Fraction(1, 2)], '[{"above": 1, "below": 2}]'),
        (np.array([1, 2]), "[1, 2]"),
        ({"b": np.int64(1), "a": (1, "ä")}, '{"a": [1, "ä"], "b": 1}'),
        (date(2026, 1, 2), "2026-01-02"),
        (Decimal("0.50"), "0.50"),
        (None, "null"),
    ],
)
def test_structured_values_are_written_in_full(value: Any, text: str) -> None:
    assert full_text(value, "the answer") == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "reference is nan, which is not a finite number"),
        (np.float64("inf"), "reference is inf, which is not a finite number"),
        pytest.param(10**5000, "reference is a number with too many digits", id="5,000 digits"),
        (None, "reference is null; give it as text"),
        ([65], r"reference is the list \[65\]; give it as text"),
        ({"value": 65}, "reference is the object"),
        (b"65", "reference is the bytes b'65'; give it as text"),
    ],
)
def test_other_values_are_refused(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plain_text(value, "reference")


@pytest.mark.parametrize(
    "value", [[float("nan")], CIRCLE, {"answer": object()}, b"\xff", float("-inf"), LONG], ids=type
)
def test_values_that_json_cannot_hold_are_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"^the answer is .*; (give a text|give it as text)"):
        full_text(value, "the answer")
