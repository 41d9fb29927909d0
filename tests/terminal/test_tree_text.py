"""Trees of paths in the terminal."""

import io
import unicodedata
from typing import Any

from rich.console import Console

from egrm_graph.records.privacy import summarized
from egrm_graph.terminal.tables import UNBOUNDED
from egrm_graph.terminal.tree_text import DEEPEST
from egrm_graph.verification import Path, PathStep
from egrm_graph.viewing.run_text import show
from tests import trees
from tests.tracing.records import record


def outline(paths: list[Path], width: int = UNBOUNDED) -> list[str]:
    """The lines of the tree, as `egrm trace show` prints them."""
    out = io.StringIO()
    show(trees.recorded(paths), Console(file=out, width=width, highlight=False))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    start = lines.index("Tree of reasoning paths") + 1
    return lines[start : lines.index("", start)]


def test_a_tree_is_an_outline() -> None:
    assert outline(trees.four_leaves()) == [
        "  → path 1 · answer 5 · score 0.900 · weight 0.420",
        "    │ x1#5",
        "    │ 2 anchors: 0.67 nats at token 2, '1' (0.60) taken, '2' (0.40) in path 2 | "
        "0.61 nats at token 4, '5' (0.70) taken, '6' (0.30) in path 3",
        "    ├ path 2 from 1, token 2 · answer 7 · score 0.200 · weight 0.360",
        "    │ │ 2#7",
        "    │ │ 1 anchor: 0.33 to 0.90 nats at token 4, '7' (0.90) taken, '8' (0.10) in path 4",
        "    │ └ path 4 from 2, token 4 · answer 8 · unscored · weight 0.040",
        "    │     8",
        "    └ path 3 from 1, token 4 · answer 6 · score 0.300 · weight 0.180",
        "        6",
    ]


def test_a_token_that_was_not_tried_is_marked() -> None:
    assert "'6' (0.30) not tried" in outline(trees.four_leaves()[:2])[2]


def test_steps_have_their_scores() -> None:
    paths = trees.four_leaves()
    paths[2]["steps"] = [PathStep(end=3, score=0.9), PathStep(end=4, score=0.25)]
    assert outline(paths)[-1] == "        step scores 0.250"


def test_a_lost_leaf_and_one_without_texts_say_so() -> None:
    paths: Any = trees.four_leaves()
    paths[2] = {**paths[2], "answer": None, "score": None, "error": "the server went away"}
    verification = summarized(trees.recorded(paths))["verification"]
    assert verification is not None
    lines = outline(verification["paths"])
    assert lines[1:3] == [
        "    │ text not recorded",
        "    │ 2 anchors: 0.67 nats at token 2, number 0 (0.60) taken, number 1 (0.40) in path 2 | "
        "0.61 nats at token 4, number 0 (0.70) taken, number 1 (0.30) in path 3",
    ]
    assert lines[-2:] == [
        "    └ path 3 from 1, token 4 · no answer · unscored · weight 0.000",
        "        the server went away",
    ]


def test_lines_fit_a_narrow_terminal() -> None:
    verification = trees.large(64)["verification"]
    assert verification is not None
    lines = outline(verification["paths"], width=80)
    assert max(map(len, lines)) <= 80
    assert len(lines) == 3 * 64
    assert all("path" in line and "answer a" in line for line in lines[::3])
    assert all(line.endswith("…") for line in lines[1::3])


def test_a_deep_path_has_its_level() -> None:
    verification = trees.large(DEEPEST + 3)["verification"]
    assert verification is not None
    lines = outline(verification["paths"], width=120)
    assert lines[-3].strip().startswith("└ path 13 (level 13) from 12, token 13")
    assert lines[-3].index("└") == lines[-6].index("└")


def test_hostile_tokens_are_inert() -> None:
    paths: Any = trees.four_leaves()
    hostile = "[red]\x1b]0;t\x07\u202e\n" + "א" * 3000
    for each in paths:
        each["text"] = each["text"].replace("1", hostile)
    for token in ("taken", "others"):
        found = paths[0]["branch"]["anchors"][0][token]
        (found[0] if token == "others" else found)["text"] = hostile
    for width in (80, UNBOUNDED):
        text = "\n".join(outline(paths, width))
        assert not {unicodedata.category(character) for character in text.replace("\n", "")} & {"Cc", "Cf", "Cs"}
        assert "[red]\\x1b]0;t" in text
    assert len(outline(paths, 80)) == 10


def test_paths_of_no_tree_are_a_table() -> None:
    out = io.StringIO()
    show(record(), Console(file=out, width=140))
    assert "Reasoning paths: score, answer, text" in out.getvalue()
    assert "Tree" not in out.getvalue()
