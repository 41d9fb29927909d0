"""`egrm train scorer` as a user runs it."""

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from egrm_graph.cli import app
from tests.cli.test_verify import egrm, ended

QUICK = ["--held-out-share", "0.3", "--batch-questions", "8", "--input", "{question}:{path}", "--learning-rate", "1e-2"]


def trained(rollouts: Path, base: Path, output: Path, *more: str) -> Result:
    options = ["--base", str(base), "--output", str(output), *QUICK, *more]
    return CliRunner().invoke(app, ["train", "scorer", str(rollouts), *options])


async def test_it_prints_a_line_for_each_evaluation_and_the_figures_as_json(
    rollouts: Path, base: Path, tmp_path: Path
) -> None:
    more = ["--epochs", "2", "--evaluations", "2", "--calibration", "none"]
    done = trained(rollouts, base, tmp_path / "scorer", *more)
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    result = json.loads(line)
    assert result.keys() >= {"scorer", "best_of_n", "majority", "oracle", "pairwise", "calibration"}
    assert (result["scorer"], result["calibration"]) == (str(tmp_path / "scorer"), None)
    shares = r"scorer's choice \d+\.\d %, majority \d+\.\d %, any path right \d+\.\d %, pairs in order \d+\.\d %"
    few, first, second, chosen = done.stderr.splitlines()
    assert few.startswith("only 11 questions are held out")
    assert re.fullmatch(r"kept the weights of step [48] of 8", chosen)
    assert re.fullmatch(rf"step 4 of 8, held out: {shares}, loss 0\.\d+", first)
    assert re.fullmatch(rf"step 8 of 8, held out: {shares}, loss 0\.\d+", second)


async def test_a_missing_calibration_has_a_reason(rollouts: Path, base: Path, tmp_path: Path) -> None:
    done = trained(rollouts, base, tmp_path / "scorer", "--epochs", "12", "--evaluations", "1")
    assert "the scores are not calibrated: no held-out path is on the wrong side of 0.5" in done.stderr
    assert json.loads(done.stdout)["calibration"] is None


async def test_every_setting_has_an_option(rollouts: Path, base: Path, tmp_path: Path) -> None:
    more = ["--objective", "bradley_terry", "--patience", "3", "--lora-rank", "2", "--lora-alpha", "3"]
    done = trained(rollouts, base, tmp_path / "scorer", "--epochs", "1", *more, "--gradient-checkpointing")
    assert done.exit_code == 0, done.output
    result = json.loads((tmp_path / "scorer" / "egrm.json").read_text())["settings"]
    names = ("objective", "patience", "lora_rank", "lora_alpha", "gradient_checkpointing", "calibration")
    assert [result[name] for name in names] == ["bradley_terry", 3, 2, 3, True, "temperature"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--objective", "regression", "--alpha", "0.3"], "alpha=0.3 has no effect with objective=regression"),
        (["--resume", "--overwrite"], "use one of them"),
        (["--base", "/nowhere/base"], "no model in /nowhere/base"),
        (["--held-out", "/nowhere/held_out.jsonl"], "/nowhere/held_out.jsonl cannot be read"),
    ],
)
async def test_an_option_that_cannot_be_used_is_a_one_line_error(
    rollouts: Path, base: Path, tmp_path: Path, more: list[str], message: str
) -> None:
    done = trained(rollouts, base, tmp_path / "scorer", *more)
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert message in done.stderr
    assert not (tmp_path / "scorer").exists()


async def test_an_interrupted_training_says_how_to_resume(rollouts: Path, base: Path, tmp_path: Path) -> None:
    options = ["--base", base, "--output", tmp_path / "scorer", *QUICK, "--epochs", 500, "--evaluations", 500]
    async with egrm("train", "scorer", rollouts, *options, OMP_NUM_THREADS="1") as process:
        async with asyncio.timeout(60):
            while not (tmp_path / "scorer" / "checkpoints" / "checkpoint-8").exists():
                assert process.returncode is None
                await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        done = await ended(process)
    assert done.status == 130
    assert done.err.splitlines()[-1] == (
        f"egrm: interrupted; run the same command with --resume to continue {tmp_path / 'scorer'}"
    )
