"""Training a generator, end to end: on a model of a few thousand weights, and on the bundled one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.fine_tuning.generator_settings import GeneratorTraining
from egrm_graph.fine_tuning.train_generator import train_generator
from egrm_graph.graph import build_graph
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import Settings
from tests.training.conftest import one_thread
from tests.training.tiny import Interrupting, contents, save_base

__all__ = ["one_thread"]

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("one_thread")]

BUNDLED = bundled("egrm-tiny")


def save_lines(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def mixture(tmp_path: Path) -> Path:
    """Short and long samples of sums of two digits."""
    sums = [(one, other) for one in range(1, 7) for other in range(1, 6)]
    rows = [
        {"prompt": f"{one}+{other}=", "completion": str(one + other), "kind": "short"}
        if (one + other) % 2
        else {"prompt": f"{one}+{other}:", "completion": f"#{one + other}", "kind": "long"}
        for one, other in sums
    ]
    return save_lines(tmp_path / "mixture.jsonl", [{"id": i, **row} for i, row in enumerate(rows)])


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """The hardest level, where paths are sometimes wrong."""
    sums = ["98-6+54+66-34", "71+58-18-30+39", "5+98-84+75-61", "38+79-95+61-17"]
    rows: list[dict[str, Any]] = [{"question": sums[i], "reference": str(eval(sums[i]))} for i in range(4)]
    return save_lines(tmp_path / "questions.jsonl", rows)


@pytest.fixture
def held_out(tmp_path: Path) -> Path:
    return save_lines(tmp_path / "held_out.jsonl", [{"question": "17+48-9", "reference": 56}])


def settings(data: Path, base: Path, output: Path, **changes: Any) -> GeneratorTraining:
    quick: dict[str, Any] = {"steps": 4, "batch_size": 8, "rows_at_once": 8, "learning_rate": 1e-2, "evaluations": 2}
    own: dict[str, Any] = (
        {"reinforce": True, "group_size": 4, "rollout_tokens": 100, "learning_rate": 1e-5, "temperature": 1.5}
        if changes.get("reinforce")
        else {"held_out_share": 0.2}
    )
    return GeneratorTraining(data=data, base=str(base), output=output, **{**quick, **own, **changes})


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def test_a_supervised_generator_learns_its_mixture(mixture: Path, tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    folder = train_generator(settings(mixture, base, tmp_path / "generator", steps=60, evaluations=3))
    written = report(folder)
    losses = [entry["eval_loss"] for entry in written["curve"] if "eval_loss" in entry]
    assert losses[-1] < 0.8 * losses[0]
    assert written["data"]["train_rows"] + written["data"]["held_out_rows"] == 30


async def test_a_trained_generator_answers_in_the_graph(mixture: Path, held_out: Path, tmp_path: Path) -> None:
    config = settings(mixture, BUNDLED, tmp_path / "generator", learning_rate=1e-6, steps=1, questions=held_out)
    folder = train_generator(config)
    manifest = json.loads((folder / "egrm.json").read_text())
    assert (manifest["method"], manifest["known_as"]) == ("supervised", "egrm-tiny")
    assert manifest["held_out"]["before"]["path_accuracy"] == manifest["held_out"]["after"]["path_accuracy"] == 1.0
    client = EmbeddedClient.load(folder, name="egrm-tiny")
    verification = (await build_graph(Settings(), client=client).ainvoke({"question": "17+48-9"}))["verification"]
    assert verification["answer"] == "56"


@pytest.mark.parametrize("reward", ["answer", "score", "pair"])
def test_a_reinforcement_reports_reward_score_and_truth(questions: Path, tmp_path: Path, reward: str) -> None:
    changes: dict[str, Any] = {"reinforce": True, "reward": reward, "batch_size": 16, "rows_at_once": 16, "steps": 1}
    folder = train_generator(settings(questions, BUNDLED, tmp_path / "generator", evaluations=1, **changes))
    [entry] = [entry for entry in report(folder)["curve"] if "right" in entry]
    assert {"reward", "score", "right", "unreadable", "unrewarded", "without_spread", "kl"} <= entry.keys()
    assert 0 < entry["right"] < 1
    assert 0 < entry["score"] < 1


@pytest.mark.slow
def test_an_interrupted_reinforcement_has_the_same_bytes(questions: Path, held_out: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"reinforce": True, "questions": held_out}
    full = train_generator(settings(questions, BUNDLED, tmp_path / "full", **changes))
    logged = [entry for entry in report(full)["curve"] if "without_spread" in entry]
    assert any(entry["without_spread"] < 1 for entry in logged)  # or nothing was learned
    cut = settings(questions, BUNDLED, tmp_path / "cut", **changes)
    with pytest.raises(KeyboardInterrupt):
        train_generator(cut, observer=Interrupting(at_step=3))
    train_generator(cut, resume=True)
    assert contents(tmp_path / "cut") == contents(full)


@pytest.mark.slow
def test_an_interrupted_supervised_generator_has_the_same_bytes(mixture: Path, tmp_path: Path) -> None:
    base = save_base(tmp_path / "base")
    full = train_generator(settings(mixture, base, tmp_path / "full"))
    cut = settings(mixture, base, tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        train_generator(cut, observer=Interrupting(at_step=3))
    train_generator(cut, resume=True)
    assert contents(tmp_path / "cut") == contents(full)


def test_a_reward_that_needs_a_scorer_is_refused_without_one(questions: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"reinforce": True, "scorer": None}
    with pytest.raises(SettingsError, match=r"the reward 'pair' needs a scorer; set scorer \(--scorer\)"):
        train_generator(settings(questions, BUNDLED, tmp_path / "generator", **changes))


def test_held_out_questions_must_be_others(questions: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="4 questions are in both files, such as '38"):
        train_generator(settings(questions, BUNDLED, tmp_path / "generator", reinforce=True, questions=questions))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"question": "17+48"}, "reference"),
        ({"question": "who?", "reference": "2"}, "cannot be asked: 'who"),
        ({"question": "17+48", "reference": [65]}, "reference"),
    ],
)
def test_a_question_that_cannot_be_used_is_named(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    data = save_lines(tmp_path / "questions.jsonl", [row])
    with pytest.raises(InputError, match=message):
        train_generator(settings(data, BUNDLED, tmp_path / "generator", reinforce=True))


def test_no_space_for_a_rollout_is_an_error(questions: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="4 questions leave no space for 2048 tokens; lower"):
        train_generator(settings(questions, BUNDLED, tmp_path / "generator", reinforce=True, rollout_tokens=2048))
