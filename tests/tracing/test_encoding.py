import enum
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from egrm_graph.tracing.encoding import decoded, encoded
from tests.tracing.records import record


def encoded_value(value: Any) -> Any:
    """A setting's value after encoding."""
    return json.loads(encoded(record(settings={"x": value})))["settings"]["x"]


def test_a_record_survives_encoding() -> None:
    assert decoded(encoded(record())) == record()


class Color(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\ud800b", "a\\ud800b"),
        ({"\udfff": ["\ud800"]}, {"\\udfff": ["\\ud800"]}),
        ("\x00\x1b[2J\u202e\u2028", "\x00\x1b[2J\u202e\u2028"),
        (math.nan, None),
        ([math.inf, -math.inf], [None, None]),
        (2**64, "18446744073709551616"),
        (-(2**63), -(2**63)),
        (("a", 1), ["a", 1]),
        (frozenset({7}), [7]),
        (Path("a/b"), "a/b"),
        (SecretStr("key"), "**********"),
        (Color.RED, "red"),
        ({1: 2}, {"1": 2}),
    ],
)
def test_values_that_json_lacks_are_converted(value: Any, expected: Any) -> None:
    assert encoded_value(value) == expected


def test_one_bad_text_does_not_change_others() -> None:
    bad = record(error="\ud800", metadata={"a": "ö\x00"})
    assert decoded(encoded(bad)) == record(error="\\ud800", metadata={"a": "ö\x00"})


def test_a_record_is_one_line() -> None:
    assert b"\n" not in encoded(record(error="a\nb\r\n"))


def test_a_record_that_contains_itself_is_an_error() -> None:
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    with pytest.raises(RecursionError):
        encoded(record(settings=loop))


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_written_and_read(text: str) -> None:
    assert encoded_value(text) == text.encode("utf-8", "backslashreplace").decode()
