import asyncio
import json
import re
from itertools import chain

import pytest
from scored_texts import all_different, drawn, worked
from scorer_sharing import main

from egrm_graph.benchmark.held_out import held_out


@pytest.mark.parametrize(
    ("question", "slip", "path"),
    [
        ("17+48", 0, "17+40=57;57+8=65;#65"),
        ("50-30+4", 0, "50-30=20;20+4=24;#24"),
        ("17+48", 2, "17+40=59;59+8=67;#67"),
        ("7+0", 0, "7+0=7;#7"),
    ],
)
def test_a_path_adds_tens_before_units(question: str, slip: int, path: str) -> None:
    assert worked(question, slip) == path


def test_worked_paths_without_a_slip_are_right() -> None:
    for question in held_out(200):
        assert worked(question.text).endswith(f"#{question.reference}")


def test_all_worked_paths_differ_even_after_the_last_held_out_question() -> None:
    runs = all_different(1010, 2)
    pairs = {(question, path) for question, paths in runs for path in paths}
    assert (len(runs), len(pairs)) == (1010, 2020)


def test_drawn_paths_come_from_the_generator() -> None:
    ((question, paths),) = asyncio.run(drawn(1, 2))
    assert question == held_out(1)[0].text
    assert all(re.search(r"#-?\d+$", path) for path in paths)
    assert len(paths) == 2


SMALL = ["--runs", "2", "--paths", "2", "--rounds", "1", "--calls", "3", "--memory-runs"]


@pytest.mark.slow
def test_small_run_prints_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(SMALL)
    printed = capsys.readouterr().out
    assert "2 runs at once, 4 paths, 1 rounds" in printed
    assert "a single path waits, 3 calls" in printed


@pytest.mark.slow
def test_small_run_gives_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    main([*SMALL, "2", "--json"])
    drawn_, different, wait, memory = map(json.loads, capsys.readouterr().out.splitlines())
    assert (drawn_["texts"], different["texts"], different["different"]) == ("drawn", "all different", 4)
    figures = chain(
        *(value.values() for row in (drawn_, different) for value in row.values() if isinstance(value, dict))
    )
    assert all(value > 0 for value in figures)
    assert wait["calls"] == 3
    assert memory["runs"] == 2
    assert min(memory["peak_mb"], memory["before_mb"]) > 0
