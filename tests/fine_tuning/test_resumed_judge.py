"""A training of a judge that is killed and resumed gives the same judge as one without interruption."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.errors import InputError, SettingsError
from egrm_graph.fine_tuning.judge_settings import JudgeTraining
from egrm_graph.fine_tuning.train_judge import train_judge
from tests.cli.test_verify import egrm, ended
from tests.fine_tuning.small import BUNDLED, judgments, pair, save_judge, save_rows, settings
from tests.training.tiny import Interrupting, contents

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_rows(tmp_path_factory.mktemp("data") / "rows.jsonl", judgments())


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_rows(tmp_path_factory.mktemp("data") / "pairs.jsonl", [pair(seed) for seed in range(3)])


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_rows(tmp_path_factory.mktemp("data") / "held_out.jsonl", [pair(seed) for seed in range(100, 104)])


@pytest.fixture(scope="module")
def wavering(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with dropout, whose training depends on the state of the random number generator."""
    return save_judge(tmp_path_factory.mktemp("models") / "wavering", attention_dropout=0.2)


async def killed(config: JudgeTraining, checkpoint: str) -> None:
    """Train, and kill the process once this checkpoint exists."""
    values = config.model_dump(exclude_unset=True)
    data, reinforce = values.pop("data"), ["--reinforce"] if values.pop("reinforce", False) else []
    options = [part for name, value in values.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    async with egrm("train", "judge", data, *reinforce, *options, OMP_NUM_THREADS="1") as process:
        async with asyncio.timeout(100):
            while not (config.output / "checkpoints" / checkpoint / "trainer_state.json").exists():
                assert process.returncode is None, (await ended(process)).err
                await asyncio.sleep(0.002)
        process.kill()
        await process.wait()
    assert not (config.output / "egrm.json").exists()


@pytest.mark.slow
async def test_a_killed_and_resumed_judge_has_the_same_bytes(
    rows: Path, held_out: Path, wavering: Path, tmp_path: Path
) -> None:
    # Four batches per pass, so checkpoints fall in the middle of one.
    changes: dict[str, Any] = {"steps": 120, "evaluations": 12, "pairs": held_out}
    full = train_judge(settings(rows, wavering, tmp_path / "full", **changes))
    cut = settings(rows, wavering, tmp_path / "cut", **changes)
    await killed(cut, "checkpoint-30")
    train_judge(cut, resume=True)
    assert contents(tmp_path / "cut") == contents(full)


@pytest.mark.slow
@pytest.mark.parametrize("lora_rank", [None, 2])
async def test_an_interrupted_reinforcement_has_the_same_bytes(
    pairs: Path, held_out: Path, tmp_path: Path, lora_rank: int | None
) -> None:
    # Two prompts for each step and six in a pass, so the last checkpoint is in the second pass.
    changes: dict[str, Any] = {
        "reinforce": True,
        "steps": 6,
        "evaluations": 3,
        "pairs": held_out,
        "judged_as": None,
        "lora_rank": lora_rank,
        "learning_rate": 1e-4,
        "temperature": 1.5,
    }
    full = train_judge(settings(pairs, BUNDLED, tmp_path / "full", **changes))
    logged = [entry for entry in json.loads((full / "report.json").read_text())["curve"] if "reward" in entry]
    assert any(entry["without_spread"] < 1 for entry in logged)  # or nothing was learned
    cut = settings(pairs, BUNDLED, tmp_path / "cut", **changes)
    with pytest.raises(KeyboardInterrupt):
        train_judge(cut, observer=Interrupting(at_step=5))
    train_judge(cut, resume=True)
    assert contents(tmp_path / "cut") == contents(full)


async def test_an_unfinished_judge_is_neither_lost_nor_resumed_with_other_settings(
    rows: Path, small_judge: Path, tmp_path: Path
) -> None:
    config = settings(rows, small_judge, tmp_path / "judge")
    with pytest.raises(KeyboardInterrupt):
        train_judge(config, observer=Interrupting(at_step=1))
    with pytest.raises(InputError, match="has an unfinished training; continue it with --resume, or start over"):
        train_judge(config)
    with pytest.raises(SettingsError, match=r"settings\.seed was 0 and is 1; use the same"):
        train_judge(settings(rows, small_judge, tmp_path / "judge", seed=1), resume=True)
    complete = contents(train_judge(config, resume=True))
    assert contents(train_judge(config, resume=True)) == complete
    with pytest.raises(InputError, match="has a model already"):
        train_judge(config)
    assert contents(train_judge(config, overwrite=True)) == complete
