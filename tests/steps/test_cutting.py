"""Where the steps of a path end."""

import pytest

from egrm_graph.errors import SettingsError
from egrm_graph.steps.cutting import step_cutter


@pytest.mark.parametrize(
    ("rule", "text", "steps"),
    [
        ("lines", "one\ntwo\n\nthree", ["one\n", "two\n\n", "three"]),
        ("lines", "\n\none\n", ["\n\none\n"]),
        ("lines", "one\ntwo \n  ", ["one\n", "two \n  "]),
        ("lines", "one", ["one"]),
        ("sentences", "It is 3.5. Then 4! So?\nYes.", ["It is 3.5. ", "Then 4! ", "So?\n", "Yes."]),
        (";", "1+2=3;3+4=7;#7", ["1+2=3;", "3+4=7;", "#7"]),
        (";|$", "1+2=3;", ["1+2=3;"]),
        ("(?=#)", "1#2", ["1#2"]),
        ("lines", "", []),
        ("lines", " \n ", []),
    ],
)
def test_steps_are_the_full_text_in_order(rule: str, text: str, steps: list[str]) -> None:
    ends = step_cutter(rule)(text)
    assert [text[start:end] for start, end in zip([0, *ends], ends, strict=False)] == steps


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"'\(' says where steps end, and is neither one of lines, sentences nor"):
        step_cutter("(")
