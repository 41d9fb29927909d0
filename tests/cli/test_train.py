"""`egrm train scorer` and `egrm train process-reward` as a user runs them."""

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from egrm_graph.cli import app
from tests.cli.test_verify import egrm, ended
from tests.training.tiny import save_steps

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


async def test_a_process_scorer_prints_where_steps_end_and_how_well_it_finds_first_errors(
    base: Path, tmp_path: Path
) -> None:
    steps = save_steps(tmp_path / "steps.jsonl")
    output = ["--base", str(base), "--output", str(tmp_path / "prm"), "--evaluations", "1", "--epochs", "12"]
    done = CliRunner().invoke(app, ["train", "process-reward", str(steps), "--step-end", ";", *output, *QUICK])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert result["steps"] == ";"
    assert result.keys() >= {"aggregation", "step_accuracy", "first_error_f1", "first_error_f1_at_best_threshold"}
    shares = r"first-error F1 \d+\.\d %, steps judged correctly \d+\.\d %, pairs of steps in order \d+\.\d %"
    assert re.search(rf"held out: {shares}, loss 0\.\d+", done.stderr)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--labels", "mean"], "'mean' is not one of"),
        (["--step-end", "("], "'(' says where steps end, and is neither one of lines, sentences nor a regular"),
        (["--merge-steps", "1"], "merge_steps=1.0"),
        ([], "do not end where lines end"),
    ],
)
async def test_an_option_of_a_process_scorer_that_cannot_be_used_is_an_error(
    base: Path, tmp_path: Path, more: list[str], message: str
) -> None:
    steps = save_steps(tmp_path / "steps.jsonl")
    output = ["--base", str(base), "--output", str(tmp_path / "prm")]
    done = CliRunner().invoke(app, ["train", "process-reward", str(steps), *output, *QUICK, *more])
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())
    assert not (tmp_path / "prm").exists()


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
