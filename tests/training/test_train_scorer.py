"""Training a scorer, end to end on a model of a few thousand weights."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from egrm_graph.errors import InputError, ModelError, SetupError
from egrm_graph.scoring.checkpoint import read_manifest
from egrm_graph.scoring.classifier import ClassifierScorer
from egrm_graph.scoring.score_row import ScoreRow
from egrm_graph.training.batches import Example, collator, group
from egrm_graph.training.rollout_file import Rollout, RolloutPath, write_rollouts
from egrm_graph.training.train_scorer import train_scorer
from tests.training.tiny import Messages, contents, rollout, settings


async def test_a_trained_scorer_separates_right_from_wrong_and_can_be_loaded(
    rollouts: Path, base: Path, tmp_path: Path
) -> None:
    folder = train_scorer(settings(rollouts, base, tmp_path / "scorer", epochs=12))
    scorer = ClassifierScorer.load(folder, device="cpu")
    right, wrong = await scorer.score("99+1", ["#7", "#2"])
    await scorer.aclose()
    assert isinstance(right, float)
    assert isinstance(wrong, float)
    assert right > wrong + 0.1


async def test_the_folder_has_the_origin_of_the_scorer(rollouts: Path, base: Path, tmp_path: Path) -> None:
    folder = train_scorer(settings(rollouts, base, tmp_path / "scorer"))
    manifest = json.loads((folder / "egrm.json").read_text())
    assert manifest["input"] == "{question}:{path}"
    assert manifest["base"] == "base"
    assert (manifest["settings"]["objective"], manifest["settings"]["alpha"]) == ("hybrid", 0.3)
    assert set(manifest["data_sha256"]) == {"rollouts"}
    assert manifest["data"]["train_questions"] + manifest["data"]["held_out_questions"] == 40
    assert set(manifest["held_out"]) >= {"loss", "pairwise", "best_of_n", "majority", "oracle"}
    assert str(tmp_path) not in (folder / "egrm.json").read_text() + (folder / "report.json").read_text()
    others = {"config.json", "egrm.json", "model.safetensors", "report.json", "report.html", "tokenizer.json"}
    assert {file.name for file in folder.iterdir()} == {*others, "tokenizer_config.json"}


async def test_saved_weights_are_those_of_the_best_evaluation(rollouts: Path, base: Path, tmp_path: Path) -> None:
    folder = train_scorer(settings(rollouts, base, tmp_path / "scorer", epochs=4, evaluations=8))
    report = json.loads((folder / "report.json").read_text())
    evaluations = [entry for entry in report["curve"] if "eval_selection" in entry]
    best = max(evaluations, key=lambda entry: entry["eval_selection"])
    assert len(evaluations) == 8
    assert best["step"] == report["best_step"]
    assert report["held_out"]["pairwise"] == pytest.approx(best["eval_pairwise"])
    assert report["held_out"]["loss"] == pytest.approx(best["eval_loss"], abs=1e-5)


async def test_the_smallest_loss_decides_between_evaluations_that_choose_equally_well(
    base: Path, tmp_path: Path
) -> None:
    easy = Rollout(
        id="q",
        question="1+1",
        reference="7",
        paths=(
            RolloutPath(text="#7", answer="7", correct=True),
            RolloutPath(text="#1", answer="1", correct=False),
        ),
    )
    train, held_out = tmp_path / "train.jsonl", tmp_path / "held_out.jsonl"
    write_rollouts(train, [easy.model_copy(update={"id": n, "question": f"{n}+1"}) for n in range(40)])
    write_rollouts(held_out, [easy.model_copy(update={"question": "50+1"})])
    started = train_scorer(settings(train, base, tmp_path / "a", held_out=held_out, epochs=4, calibration="none"))
    messages = Messages()
    # Trained from a scorer that orders all pairs correctly from the first step, where the learning rate is still 0.
    folder = train_scorer(
        settings(train, started, tmp_path / "b", held_out=held_out, epochs=1, evaluations=5, calibration="none"),
        observer=messages,
    )
    curve = json.loads((folder / "report.json").read_text())["curve"]
    losses = {entry["step"]: entry["eval_loss"] for entry in curve if "eval_loss" in entry}
    assert {entry["eval_pairwise"] for entry in curve if "eval_loss" in entry} == {1.0}
    best = min(losses, key=lambda step: losses[step])
    assert best > 1
    assert f"kept the weights of step {best} of 5" in messages.messages
    assert "only 1 questions are held out, so the choice of the weights is mostly chance" in messages.messages
    assert not torch.equal(
        load_file(started / "model.safetensors")["score.weight"],
        load_file(folder / "model.safetensors")["score.weight"],
    )


async def test_a_scorer_that_is_trained_further_keeps_its_template(rollouts: Path, base: Path, tmp_path: Path) -> None:
    first = train_scorer(settings(rollouts, base, tmp_path / "first", epochs=1, input="{question};{path}"))
    further = settings(rollouts, first, tmp_path / "further", epochs=1).model_copy(update={"input": None})
    assert read_manifest(train_scorer(further)).input == "{question};{path}"


async def test_the_weights_have_the_permissions_of_the_other_files(rollouts: Path, base: Path, tmp_path: Path) -> None:
    folder = train_scorer(settings(rollouts, base, tmp_path / "scorer", epochs=1))
    assert (folder / "model.safetensors").stat().st_mode == (folder / "config.json").stat().st_mode


async def test_same_seed_gives_the_same_weights(rollouts: Path, base: Path, tmp_path: Path) -> None:
    one, other, third = (
        load_file(train_scorer(settings(rollouts, base, tmp_path / name, seed=seed)) / "model.safetensors")
        for name, seed in (("one", 1), ("other", 1), ("third", 2))
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not all(torch.equal(one[name], third[name]) for name in one)


async def test_paths_that_do_not_fit_are_left_out_and_counted(base: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    write_rollouts(tmp_path / "train.jsonl", [rollout(f"{n}+1", rng, "1" * 40, "") for n in range(8)])
    write_rollouts(tmp_path / "held.jsonl", [rollout(f"{n}+2", rng) for n in range(3)])
    config = settings(tmp_path / "train.jsonl", base, tmp_path / "scorer", held_out=tmp_path / "held.jsonl")
    report = json.loads((train_scorer(config) / "report.json").read_text())
    assert report["data"]["paths_left_out_as_empty_or_too_long"] == 16
    assert report["data"]["train_paths"] == 32
    assert set(report["data_sha256"]) == {"rollouts", "held_out"}


async def test_held_out_questions_in_the_training_data_are_an_error(rollouts: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"40 questions are in both files, such as '0\+1'"):
        train_scorer(settings(rollouts, base, tmp_path / "scorer", held_out=rollouts))


async def test_too_few_questions_to_hold_any_out_are_refused(base: Path, tmp_path: Path) -> None:
    write_rollouts(tmp_path / "one.jsonl", [rollout("1+1", random.Random(0))])
    with pytest.raises(InputError, match="too few to hold out"):
        train_scorer(settings(tmp_path / "one.jsonl", base, tmp_path / "scorer"))


async def test_broken_line_of_rollouts_is_named(rollouts: Path, base: Path, tmp_path: Path) -> None:
    with rollouts.open("a") as stream:
        stream.write('{"id": "41", "question"')
    with pytest.raises(InputError, match=r"rollouts\.jsonl, line 41 is not JSON"):
        train_scorer(settings(rollouts, base, tmp_path / "scorer"))


async def test_text_that_is_not_unicode_is_named(rollouts: Path, base: Path, tmp_path: Path) -> None:
    with rollouts.open("a") as stream:
        stream.write('{"id": "41", "question": "1+1", "paths": [{"text": "\\ud800", "correct": true}]}')
    with pytest.raises(InputError, match=r"rollouts\.jsonl, line 41: paths\.0\.text"):
        train_scorer(settings(rollouts, base, tmp_path / "scorer"))


async def test_path_of_a_million_characters_is_left_out_and_counted(base: Path, tmp_path: Path) -> None:
    rng = random.Random(0)
    write_rollouts(tmp_path / "train.jsonl", [rollout("1+1", rng, "1" * 1_000_000), rollout("2+1", rng)])
    write_rollouts(tmp_path / "held.jsonl", [rollout(f"{n}+2", rng) for n in range(3)])
    config = settings(tmp_path / "train.jsonl", base, tmp_path / "scorer", held_out=tmp_path / "held.jsonl")
    report = json.loads((train_scorer(config) / "report.json").read_text())
    assert report["data"]["paths_left_out_as_empty_or_too_long"] == 1
    assert report["data"]["train_paths"] == 8


async def test_only_empty_and_overlong_paths_are_refused(base: Path, tmp_path: Path) -> None:
    paths = (RolloutPath(text=" ", correct=False), RolloutPath(text="1" * 99, correct=True))
    write_rollouts(tmp_path / "train.jsonl", [Rollout(id=n, question=str(n), paths=paths) for n in range(20)])
    with pytest.raises(InputError, match="every path is empty or longer than the 32 tokens of the base model"):
        train_scorer(settings(tmp_path / "train.jsonl", base, tmp_path / "scorer"))


def alike(file: Path, *marks: bool) -> Path:
    """Twenty questions with one path each, marked in turn."""
    paths = [RolloutPath(text="#7", answer="7", correct=mark) for mark in marks]
    rollouts = [Rollout(id=n, question=str(n), paths=(paths[n % len(paths)],)) for n in range(20)]
    write_rollouts(file, rollouts)
    return file


@pytest.mark.parametrize(("mark", "kind"), [(False, "wrong"), (True, "right")])
async def test_paths_with_the_same_mark_are_an_error(base: Path, tmp_path: Path, mark: bool, kind: str) -> None:
    rollouts = alike(tmp_path / "rollouts.jsonl", mark)
    with pytest.raises(InputError, match=rf"every usable path in .*rollouts\.jsonl is {kind}"):
        train_scorer(settings(rollouts, base, tmp_path / "scorer"))
    assert not (tmp_path / "scorer").exists()


@pytest.mark.parametrize("objective", ["hinge", "bradley_terry"])
async def test_ranking_without_a_pair_is_refused(base: Path, tmp_path: Path, objective: str) -> None:
    rollouts = alike(tmp_path / "rollouts.jsonl", True, False)
    with pytest.raises(
        InputError, match=rf"objective={objective} learns from a better and a worse path of one question"
    ):
        train_scorer(settings(rollouts, base, tmp_path / "scorer", objective=objective))


async def test_regression_needs_no_pair(base: Path, tmp_path: Path) -> None:
    rollouts = alike(tmp_path / "rollouts.jsonl", True, False)
    folder = train_scorer(settings(rollouts, base, tmp_path / "scorer", objective="regression"))
    assert json.loads((folder / "egrm.json").read_text())["held_out"]["pairwise"] is None


@pytest.mark.parametrize("objective", ["hybrid", "regression", "hinge", "bradley_terry"])
async def test_every_objective_learns_the_order(rollouts: Path, base: Path, tmp_path: Path, objective: str) -> None:
    config = settings(rollouts, base, tmp_path / "scorer", objective=objective, epochs=12, evaluations=1)
    manifest = json.loads((train_scorer(config) / "egrm.json").read_text())
    assert manifest["held_out"]["pairwise"] == 1
    assert manifest["settings"]["objective"] == objective


async def test_missing_base_is_refused(rollouts: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model in .*nowhere"):
        train_scorer(settings(rollouts, tmp_path / "nowhere", tmp_path / "scorer"))


async def test_overwriting_with_bad_input_keeps_the_scorer(rollouts: Path, base: Path, tmp_path: Path) -> None:
    folder = train_scorer(settings(rollouts, base, tmp_path / "scorer"))
    before = contents(folder)
    with pytest.raises(ModelError, match="nowhere"):
        train_scorer(settings(rollouts, tmp_path / "nowhere", folder), overwrite=True)
    assert contents(folder) == before


async def test_overwriting_trains_again(rollouts: Path, base: Path, tmp_path: Path) -> None:
    other = train_scorer(settings(rollouts, base, tmp_path / "other", seed=1))
    folder = train_scorer(settings(rollouts, base, tmp_path / "scorer"))
    train_scorer(settings(rollouts, base, folder, seed=1), overwrite=True)
    assert contents(folder) == contents(other)


async def test_missing_package_is_named_with_its_extra(
    rollouts: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(SetupError, match=r"needs accelerate.*pip install 'egrm-graph\[train\]'"):
        train_scorer(settings(rollouts, base, tmp_path / "scorer"))


def example(*widths: int) -> Example:
    paths = tuple(RolloutPath(text="-", answer="-", correct=True) for _ in widths)
    rollout_of_paths = Rollout(id="-", question="-", reference="-", paths=paths)
    return Example(rollout_of_paths, [ScoreRow([5] * width) for width in widths], [1.0] * len(widths))


@given(
    st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=6), max_size=20), st.integers(1, 5), st.integers(1, 200)
)
def test_batches_hold_every_question_once_and_stay_within_their_limits(
    widths: list[list[int]], max_questions: int, max_tokens: int
) -> None:
    examples = [example(*question) for question in widths]
    batches = group(examples, max_questions, max_tokens)
    assert sorted(i for batch in batches for i in batch) == list(range(len(examples)))
    for batch in batches:
        rows = [row for i in batch for row in examples[i].rows]
        assert len(batch) <= max_questions
        assert len(batch) == 1 or len(rows) * max(len(row.ids) for row in rows) <= max_tokens


async def test_a_batch_keeps_the_paths_of_a_question_together() -> None:
    examples = [example(1, 2), example(3)]
    inputs = collator(examples, pad_id=0)([[1], [0]])  # two batches, as for several GPUs
    assert {name: tensor.tolist() for name, tensor in inputs.items()} == {
        "input_ids": [[5, 5, 5], [5, 0, 0], [5, 5, 0]],
        "attention_mask": [[1, 1, 1], [1, 0, 0], [1, 1, 0]],
        "labels": [1.0, 1.0, 1.0],
        "groups": [1, 0, 0],
    }
