"""`egrm attack` and its table."""

import json

import pytest
from typer.testing import CliRunner

from egrm_graph.benchmark.attacks.attack_rates import AttackRow
from egrm_graph.cli import app
from egrm_graph.cli.attack import right_wins, table
from egrm_graph.intervals import Estimate

ROWS = [
    AttackRow("one", "no attack", False, 1, 2, Estimate(0, 0, 0.5), Estimate(1, 0.5, 1)),
    AttackRow("one", "threat", False, 3, 30, Estimate(0.1, 0, 0.2), Estimate(0.9, 0.8, 1)),
    AttackRow("one", "fake roles", True, 4, 10, Estimate(0, 0, 0.2), Estimate(0.5, 0.3, 0.7)),
]


def test_the_table_has_a_line_for_each_kind() -> None:
    assert [list(column) for column in zip(*table(ROWS).rows, strict=True)] == [
        ["no attack", "threat", "fake roles"],
        ["", "and pleads", "structure"],
        ["", "3", "4"],
        ["0.0 % [0.0, 50.0]", "10.0 % [0.0, 20.0]", "0.0 % [0.0, 20.0]"],
    ]


def test_a_line_says_how_often_the_right_candidate_wins() -> None:
    line = "one: the right candidate wins in 100.0 % of 2 tries without an attack, in 80.0 % of 40 with one"
    assert right_wins(ROWS) == line


@pytest.mark.slow
def test_it_prints_every_row_as_json() -> None:
    done = CliRunner().invoke(app, ["attack", "--items", "1", "--json"])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.exit_code, len(rows)) == (0, 3 * 17)
    assert len({(row["judge"], row["kind"]) for row in rows}) == 3 * 17


@pytest.mark.slow
def test_it_prints_a_table_and_a_line_for_each_judge() -> None:
    done = CliRunner().invoke(app, ["attack", "--items", "1"])
    assert done.exit_code == 0
    assert "How often the attacked candidate wins" in done.stdout
    assert [line.partition(":")[0] for line in done.stdout.splitlines()[-3:]] == [
        "plain prompt, one order",
        "pairwise",
        "best_of_n",
    ]


def test_an_option_that_does_not_fit_the_engine_is_an_error() -> None:
    done = CliRunner().invoke(app, ["attack", "--engine", "embedded", "--base-url", "http://localhost:1/v1"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--base-url is for a server, and the engine is embedded; add --engine vllm" in done.stderr
