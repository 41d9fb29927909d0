"""The marks of differences between all kinds of texts."""

import difflib
import random
import re

import pytest

from tests.viewing import runs
from tests.viewing.conftest import Open
from tests.viewing.reading import part

WORDS = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")


def drawn(seed: int) -> tuple[str, str]:
    """Two texts with much in common."""
    draw = random.Random(seed)
    words = [draw.choice(["so ", "it ", "is ", "47", "+", "=", "83;\n"]) for _ in range(60)]
    changed = [each if draw.random() < 0.8 else draw.choice(["not ", "", "9"]) for each in words]
    return "".join(words), "".join(changed)


@pytest.mark.parametrize("seed", range(5))
def test_unmarked_text_is_equal_on_both_sides(opened: Open, seed: int) -> None:
    record = runs.escalated()
    assert record["verification"] is not None
    paths = record["verification"]["paths"]
    paths[1]["text"], paths[0]["text"] = drawn(seed)
    paths_part = part(opened(record), "Paths")
    paths_part.get_by_role("button", name="Differences").click()
    unmarked = paths_part.locator("article .text").evaluate_all(
        "all => all.map((each) => [...each.querySelectorAll('span')].map((part) => part.textContent).join(''))"
    )
    left, right = ([piece.strip() for piece in WORDS.findall(each)] for each in unmarked)
    assert left == right
    # At least as many words as difflib finds, which looks for a natural match and not for the longest one.
    pieces = [[piece.strip() for piece in WORDS.findall(text)] for text in drawn(seed)]
    blocks = difflib.SequenceMatcher(None, pieces[0], pieces[1], autojunk=False).get_matching_blocks()
    assert len(left) >= sum(block.size for block in blocks)
