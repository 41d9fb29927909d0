"""`egrm train judge` as a user runs it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from egrm_graph.cli import app
from tests.fine_tuning.small import judgments, pair, save_judge, save_rows

QUICK = ["--steps", "2", "--batch-size", "8", "--rows-at-once", "8", "--rollout-tokens", "24", "--evaluations", "1"]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_judge(tmp_path_factory.mktemp("models") / "judge")


def trained(data: Path, base: Path, output: Path, *more: str) -> Result:
    options = ["--base", str(base), "--output", str(output), "--judged-as", "egrm-tiny-judge", *QUICK, *more]
    return CliRunner().invoke(app, ["train", "judge", str(data), *options])


@pytest.mark.training
async def test_it_prints_figures_before_and_after_as_json(judge: Path, tmp_path: Path) -> None:
    held_out = save_rows(tmp_path / "held_out.jsonl", [pair(seed) for seed in range(100, 103)])
    rows = save_rows(tmp_path / "rows.jsonl", judgments(30))
    done = trained(rows, judge, tmp_path / "out", "--pairs", str(held_out), "--held-out-share", "0.3")
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["model"] == str(tmp_path / "out")
    assert result["before"].keys() >= {"accuracy", "rewardbench_accuracy", "unreadable", "tokens"}
    assert result["after"].keys() == {*result["before"], "entropy", "mean_token_accuracy"}
    verdicts = r"right verdicts \d+\.\d %, unreadable \d+\.\d %, tokens \d+"
    assert re.match(rf"step 0 of 2, held out: {verdicts}", done.stderr)
    assert re.search(rf"\nstep 2 of 2, held out: {verdicts}", done.stderr)
    assert re.search(r"\nstep 2 of 2, held out: loss \d", done.stderr)


@pytest.mark.training
async def test_a_reinforcement_reports_rewards_and_groups_without_spread(judge: Path, tmp_path: Path) -> None:
    pairs = save_rows(tmp_path / "pairs.jsonl", [pair(seed) for seed in range(4)])
    more = ["--reinforce", "--group-size", "4", "--shuffle-labels", "--kl", "0", "--scale-rewards", "batch"]
    done = trained(pairs, judge, tmp_path / "out", *more)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {"model": str(tmp_path / "out"), "before": {}, "after": {}}
    assert re.search(r"step 2 of 2: reward -?\d.*, unreadable \d.*, groups without spread \d", done.stderr)
    settings = json.loads((tmp_path / "out" / "egrm.json").read_text())["settings"]
    assert (settings["shuffle_labels"], settings["kl"], settings["scale_rewards"]) == (True, 0.0, "batch")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--kl", "0.1"], "kl only has an effect with reinforce"),
        (["--resume", "--overwrite"], "use one of them"),
        (["--base", "/nowhere/base"], "no model in /nowhere/base"),
        (["--pairs", "/nowhere/pairs.jsonl"], "/nowhere/pairs.jsonl cannot be read"),
        (["--reinforce"], "a judged pair has a question, candidates, and a reference"),
    ],
)
async def test_an_option_that_cannot_be_used_is_a_one_line_error(
    judge: Path, tmp_path: Path, more: list[str], message: str
) -> None:
    done = trained(save_rows(tmp_path / "rows.jsonl", judgments(9)), judge, tmp_path / "out", *more)
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert message in done.stderr
    assert not (tmp_path / "out").exists()
