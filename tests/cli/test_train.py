"""`egrm train scorer` as it is run."""

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
    given = ["--base", str(base), "--output", str(output), *QUICK, *more]
    return CliRunner().invoke(app, ["train", "scorer", str(rollouts), *given])


async def test_one_line_for_each_evaluation_and_the_figures_as_json(rollouts: Path, base: Path, tmp_path: Path) -> None:
    more = ["--epochs", "2", "--evaluations", "2", "--calibration", "none"]
    done = trained(rollouts, base, tmp_path / "scorer", *more)
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert told.keys() >= {"scorer", "best_of_n", "majority", "oracle", "pairwise", "calibration"}
    assert (told["scorer"], told["calibration"]) == (str(tmp_path / "scorer"), None)
    shares = r"scorer's choice \d+\.\d %, majority \d+\.\d %, any path right \d+\.\d %, pairs in order \d+\.\d %"
    few, first, second, kept = done.stderr.splitlines()
    assert few.startswith("only 11 questions are held out")
    assert re.fullmatch(r"kept the weights of step [48] of 8", kept)
    assert re.fullmatch(rf"step 4 of 8, held out: {shares}, loss 0\.\d+", first)
    assert re.fullmatch(rf"step 8 of 8, held out: {shares}, loss 0\.\d+", second)


async def test_missing_calibration_is_told_with_its_reason(rollouts: Path, base: Path, tmp_path: Path) -> None:
    done = trained(rollouts, base, tmp_path / "scorer", "--epochs", "12", "--evaluations", "1")
    assert "the scores are not calibrated: no held-out path is on the wrong side of 0.5" in done.stderr
    assert json.loads(done.stdout)["calibration"] is None


async def test_all_settings_can_be_given(rollouts: Path, base: Path, tmp_path: Path) -> None:
    more = ["--objective", "bradley_terry", "--patience", "3", "--lora-rank", "2", "--lora-alpha", "3"]
    done = trained(rollouts, base, tmp_path / "scorer", "--epochs", "1", *more, "--gradient-checkpointing")
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "scorer" / "egrm.json").read_text())["settings"]
    names = ("objective", "patience", "lora_rank", "lora_alpha", "gradient_checkpointing", "calibration")
    assert [told[name] for name in names] == ["bradley_terry", 3, 2, 3, True, "temperature"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--objective", "regression", "--alpha", "0.3"], "alpha=0.3 has no effect with objective=regression"),
        (["--resume", "--overwrite"], "give one of them"),
        (["--base", "/nowhere/base"], "there is no model in /nowhere/base"),
        (["--held-out", "/nowhere/held_out.jsonl"], "/nowhere/held_out.jsonl cannot be read"),
    ],
)
async def test_what_cannot_be_is_told_in_one_line(
    rollouts: Path, base: Path, tmp_path: Path, more: list[str], message: str
) -> None:
    done = trained(rollouts, base, tmp_path / "scorer", *more)
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert message in done.stderr
    assert not (tmp_path / "scorer").exists()


async def test_interrupted_it_says_how_to_go_on(rollouts: Path, base: Path, tmp_path: Path) -> None:
    given = ["--base", base, "--output", tmp_path / "scorer", *QUICK, "--epochs", 500, "--evaluations", 500]
    async with egrm("train", "scorer", rollouts, *given, OMP_NUM_THREADS="1") as process:
        async with asyncio.timeout(60):
            while not (tmp_path / "scorer" / "checkpoints" / "checkpoint-8").exists():
                assert process.returncode is None
                await asyncio.sleep(0.01)
        process.send_signal(signal.SIGINT)
        done = await ended(process)
    assert done.status == 130
    assert done.err.splitlines()[-1] == (
        f"egrm: interrupted; the same command with --resume goes on with {tmp_path / 'scorer'}"
    )
