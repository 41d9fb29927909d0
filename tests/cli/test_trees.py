"""`egrm trees`, with the bundled model."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from egrm_graph.cli import app

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["trees", *arguments])
    return result.exit_code, result.output


def test_trees_and_samples_are_compared_and_drawn_once(tmp_path: Path) -> None:
    settings = [
        "--levels",
        "7",
        "--sample",
        "12",
        "--steps",
        ";",
        "--path-temperature",
        "0.7",
        "--output",
        str(tmp_path),
    ]
    drawn = ["--entropies", "0.05,5", "--quantiles", "0.9", "--prune", "0.2", "--independent", "2,4"]
    code, output = run(*settings, *drawn)
    assert code == 0, output
    figures = json.loads((tmp_path / "figures.json").read_text())
    rows = {row["name"]: row for row in figures["rows"]}
    assert list(figures["choices"]) == list(rows)
    assert list(rows) == [
        "tree, H > 0.05",
        "tree, H > 5",
        "tree, quantile 0.9",
        "tree, H > 0.05, pruned below 0.2",
        "2 samples",
        "4 samples",
    ]
    assert rows["tree, H > 5"]["leaves"] == 1.0  # nothing is that uncertain
    assert rows["tree, H > 0.05"]["leaves"] > 1.0
    assert rows["tree, H > 0.05, pruned below 0.2"]["tokens"]["value"] < rows["tree, H > 0.05"]["tokens"]["value"]
    assert rows["4 samples"]["tokens"]["value"] > rows["2 samples"]["tokens"]["value"]
    assert (tmp_path / "trees.png").read_bytes().startswith(b"\x89PNG")
    before = (tmp_path / "draws" / "draws.jsonl").stat().st_size
    code, again = run(*settings, *drawn, "--draws", str(tmp_path / "draws"), "--draws-only")
    assert code == 0, again
    assert (tmp_path / "draws" / "draws.jsonl").stat().st_size == before
    assert json.loads((tmp_path / "figures.json").read_text())["rows"] == figures["rows"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--entropies", "low"], "--entropies is 'low'; give numbers such as 0.1,0.2"),
        (["--entropies", "none"], "nothing to draw; name thresholds with --entropies"),
        (["--entropies", "none", "--quantiles", "0.9", "--prune", "0.2"], "--prune needs a threshold"),
        (
            ["--prune", "0.2", "--tree-scorer", "none"],
            "prune_below=0.2 goes by the scores of steps, and none are scored",
        ),
        (["--draws-only"], "--draws-only needs --draws FOLDER"),
    ],
)
def test_wrong_options_are_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    code, output = run(*arguments, "--sample", "1", "--output", str(tmp_path))
    assert code == 2
    assert message in " ".join(output.split())
