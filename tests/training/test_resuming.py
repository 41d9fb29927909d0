"""A training that is killed and resumed gives the same scorer as one without interruption."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.errors import SetupError
from egrm_graph.training.train_scorer import train_scorer
from egrm_graph.training.trainer_callbacks import TIE
from egrm_graph.training.training_settings import Training
from tests.cli.test_verify import egrm, ended
from tests.training.tiny import Interrupting, contents, save_base, settings

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("one_thread")]

# Fourteen batches per epoch, so checkpoints fall in the middle of one.
LONG: dict[str, Any] = {"epochs": 15, "batch_questions": 2, "evaluations": 21, "learning_rate": 5e-5}


@pytest.fixture(scope="module")
def wavering(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with dropout, whose training depends on the state of the random number generator."""
    return save_base(tmp_path_factory.mktemp("models") / "wavering", attention_dropout=0.2)


def options(values: dict[str, Any]) -> list[object]:
    return [part for name, value in values.items() for part in (f"--{name.replace('_', '-')}", value)]


async def killed(config: Training, command: str, checkpoint: str) -> None:
    """Train, and kill the process once this checkpoint exists."""
    values = config.model_dump(exclude_unset=True)
    positional = values.pop("rollouts")
    async with egrm("train", command, positional, *options(values), OMP_NUM_THREADS="1") as process:
        async with asyncio.timeout(100):
            while not (config.output / "checkpoints" / checkpoint / "trainer_state.json").exists():
                assert process.returncode is None, (await ended(process)).err
                await asyncio.sleep(0.002)
        process.kill()
        await process.wait()
    assert not (config.output / "egrm.json").exists()


async def test_a_killed_and_resumed_training_gives_the_same_bytes(
    rollouts: Path, wavering: Path, tmp_path: Path
) -> None:
    full = train_scorer(settings(rollouts, wavering, tmp_path / "full", **LONG))
    cut = tmp_path / "cut"
    await killed(settings(rollouts, wavering, cut, **LONG), "scorer", "checkpoint-50")
    shutil.copytree(cut, tmp_path / "moved")
    train_scorer(settings(rollouts, wavering, tmp_path / "moved", **LONG), resume=True)
    assert contents(tmp_path / "moved") == contents(full)
    assert json.loads((full / "egrm.json").read_text())["best_step"] > 50  # weights from after the kill


async def test_a_training_stops_when_it_no_longer_improves(rollouts: Path, base: Path, tmp_path: Path) -> None:
    config = settings(rollouts, base, tmp_path / "scorer", epochs=20, evaluations=20, patience=2)
    report = json.loads((train_scorer(config) / "report.json").read_text())
    selections = [entry["eval_selection"] for entry in report["curve"] if "eval_selection" in entry]
    assert len(selections) < 20
    assert max(selections) - max(selections[:-2]) <= TIE  # the last two are not better
    later = [max(selections[end : end + 2]) - max(selections[:end]) for end in range(1, len(selections) - 2)]
    assert min(later, default=1.0) > TIE


async def test_a_training_killed_after_an_early_stop_gives_the_same_bytes(
    rollouts: Path, base: Path, tmp_path: Path
) -> None:
    changes = {"epochs": 20, "evaluations": 20, "patience": 2}
    full = train_scorer(settings(rollouts, base, tmp_path / "full", **changes))
    cut = settings(rollouts, base, tmp_path / "cut", **changes)
    with pytest.raises(KeyboardInterrupt):
        train_scorer(cut, observer=Interrupting())
    train_scorer(cut, resume=True)
    assert contents(tmp_path / "cut") == contents(full)


async def test_a_training_resumed_before_its_first_checkpoint_starts_over(
    rollouts: Path, base: Path, tmp_path: Path
) -> None:
    full = train_scorer(settings(rollouts, base, tmp_path / "full"))
    cut = settings(rollouts, base, tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        train_scorer(cut, observer=Interrupting(at_step=2))
    train_scorer(cut, resume=True)
    assert contents(tmp_path / "cut") == contents(full)


async def test_resuming_a_complete_scorer_does_not_change_it(rollouts: Path, base: Path, tmp_path: Path) -> None:
    config = settings(rollouts, base, tmp_path / "scorer")
    before = contents(train_scorer(config))
    assert contents(train_scorer(config, resume=True)) == before


async def test_an_infinite_loss_ends_the_training_and_saves_nothing(rollouts: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"the loss is (nan|inf) after \d+ steps, and nothing was saved.*below 1e\+30"):
        train_scorer(settings(rollouts, base, tmp_path / "scorer", learning_rate=1e30))
    assert {file.name for file in (tmp_path / "scorer").iterdir()} == {"checkpoints"}
