"""Training a process scorer, end to end on a model of a few thousand weights."""

from __future__ import annotations

import json
from math import log
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from egrm_graph.errors import InputError, ModelError
from egrm_graph.scoring.classifier import ClassifierScorer
from egrm_graph.scoring.score_row import ScoreRow
from egrm_graph.steps.cutting import step_cutter
from egrm_graph.training.batches import Example, collator, logits_of
from egrm_graph.training.rollout_file import Rollout, RolloutPath, RolloutStep, write_rollouts
from egrm_graph.training.train_process_reward import ProcessGoal, train_process_reward
from tests.training.test_resuming import killed
from tests.training.tiny import Interrupting, Messages, contents, process_settings, save_base, save_steps

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("one_thread")]

# Sixteen batches per epoch, so checkpoints fall in the middle of one.
LONG: dict[str, Any] = {"epochs": 15, "batch_questions": 2, "evaluations": 21, "learning_rate": 5e-5}


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    """Forty questions whose right steps are 7 and whose wrong ones are not."""
    return save_steps(tmp_path / "steps.jsonl")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    folder = tmp_path_factory.mktemp("process")
    return train_process_reward(process_settings(save_steps(folder / "steps.jsonl"), base, folder / "prm", epochs=12))


def test_the_loss_is_the_mean_cross_entropy_of_the_steps() -> None:
    # Scores 3/4 and 1/4, for a right step and one that is right half of the time.
    logits = torch.tensor([log(3), -log(3)])
    loss = ProcessGoal().loss(logits, torch.tensor([1.0, 0.5]), torch.tensor([0, 0]))
    expected = (-log(3 / 4) - (log(1 / 4) + log(3 / 4)) / 2) / 2
    assert loss.item() == pytest.approx(expected)


def test_a_batch_has_the_place_of_each_label() -> None:
    path = RolloutPath(text="-", correct=True)
    examples = [
        Example(Rollout(id=n, question="-", paths=(path,)), [ScoreRow([5] * width, places)], [1.0] * len(places))
        for n, (width, places) in enumerate([(3, (0, 2)), (2, (1,))])
    ]
    inputs = collator(examples, pad_id=0)([[1, 0]])
    assert inputs["places"].tolist() == [[0, 1], [1, 0], [1, 2]]
    assert inputs["groups"].tolist() == [1, 0, 0]
    assert inputs["labels"].tolist() == [1.0, 1.0, 1.0]


def test_a_logit_at_a_place_is_that_of_the_text_up_to_it(base: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    ids = [1, 5, 6, 7, 8]
    rollout = Rollout(id=0, question="-", paths=(RolloutPath(text="-", correct=True),))
    (at_places,) = logits_of(model, [Example(rollout, [ScoreRow(ids, (1, 4))], [1.0, 1.0])], 8, 1000)
    (alone,) = logits_of(model, [Example(rollout, [ScoreRow(ids[:2]), ScoreRow(ids)], [1.0, 1.0])], 8, 1000)
    assert at_places == pytest.approx(alone, abs=1e-6)


async def test_a_trained_scorer_separates_right_from_wrong_steps(trained: Path) -> None:
    scorer = ClassifierScorer.load(trained, device="cpu")
    paths = ["7;7;1;#7", "7;7;7;#7"]
    cut = step_cutter(scorer.step_profile.steps or "")
    wrong, right = await scorer.score_steps("99+1", paths, [cut(path) for path in paths])
    aggregated = await scorer.score("99+1", paths)
    await scorer.aclose()
    assert isinstance(wrong, list)
    assert isinstance(right, list)
    assert [score > 0.5 for score in wrong] == [True, True, False, True]
    assert min(right) > 0.5
    assert aggregated[1] > aggregated[0]  # type: ignore[operator]


def test_the_folder_says_how_steps_end_and_what_was_measured(trained: Path) -> None:
    manifest = json.loads((trained / "egrm.json").read_text())
    assert (manifest["steps"], manifest["settings"]["labels"]) == (";", "value")
    assert manifest["aggregation"] in ("product", "minimum", "mean", "last", "merged")
    assert manifest["data"]["train_steps"] == 4 * manifest["data"]["train_paths"]
    assert manifest["held_out"]["first_error_f1"] > 0.9
    report = json.loads((trained / "report.json").read_text())
    assert [figures["aggregation"] for figures in report["choices"]] == ["product", "minimum", "mean", "last", "merged"]
    best = max(report["choices"], key=lambda figures: (figures["best_of_n"], figures["pairwise"]))
    assert manifest["aggregation"] == best["aggregation"]
    page = (trained / "report.html").read_text()
    assert "Process scorer from base" in page
    assert "first-error F1, at a threshold of 0.5" in page


def test_saved_weights_are_those_of_the_best_evaluation(steps: Path, base: Path, tmp_path: Path) -> None:
    folder = train_process_reward(process_settings(steps, base, tmp_path / "prm", epochs=4, evaluations=8))
    report = json.loads((folder / "report.json").read_text())
    evaluations = [entry for entry in report["curve"] if "eval_selection" in entry]
    best = max(evaluations, key=lambda entry: entry["eval_selection"])
    assert len(evaluations) == 8
    assert best["step"] == report["best_step"]
    assert report["held_out"]["first_error_f1"] == pytest.approx(best["eval_first_error_f1"])


async def test_a_killed_and_resumed_training_gives_the_same_bytes(steps: Path, tmp_path: Path) -> None:
    wavering = save_base(tmp_path / "wavering", attention_dropout=0.2)
    full = train_process_reward(process_settings(steps, wavering, tmp_path / "full", **LONG))
    cut = process_settings(steps, wavering, tmp_path / "cut", **LONG)
    await killed(cut, "process-reward", "checkpoint-55")
    train_process_reward(cut, resume=True)
    assert contents(tmp_path / "cut") == contents(full)


def test_an_interrupted_training_continues(steps: Path, base: Path, tmp_path: Path) -> None:
    full = train_process_reward(process_settings(steps, base, tmp_path / "full"))
    cut = process_settings(steps, base, tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        train_process_reward(cut, observer=Interrupting(at_step=2))
    train_process_reward(cut, resume=True)
    assert contents(tmp_path / "cut") == contents(full)


def test_large_bases_learn_by_lora(steps: Path, base: Path, tmp_path: Path) -> None:
    config = process_settings(steps, base, tmp_path / "prm", epochs=12, lora_rank=2, gradient_checkpointing=True)
    manifest = json.loads((train_process_reward(config) / "egrm.json").read_text())
    assert manifest["held_out"]["step_accuracy"] > 0.9


def test_a_training_stops_when_it_no_longer_improves(steps: Path, base: Path, tmp_path: Path) -> None:
    messages = Messages()
    config = process_settings(steps, base, tmp_path / "prm", epochs=40, evaluations=40, patience=2)
    train_process_reward(config, observer=messages)
    assert "stopped early: no better choice in 2 evaluations" in messages.messages


def tree(n: int) -> Rollout:
    """Two paths that share a step, which one of two leaves of unequal probability ends right."""
    shared = RolloutStep(end=2, value=0.9, share=0.5, any=True, leaves=2)
    right = RolloutStep(end=4, value=1, share=1, any=True, leaves=1)
    wrong = RolloutStep(end=4, value=0, share=0, any=False, leaves=1)
    return Rollout(
        id=n,
        question=f"{n}+1",
        reference="7",
        paths=(
            RolloutPath(text="7;#7", answer="7", correct=True, steps=(shared, right)),
            RolloutPath(text="7;#1", answer="1", correct=False, steps=(wrong,)),
        ),
    )


@pytest.mark.parametrize("labels", ["value", "share", "any"])
def test_a_tree_has_three_kinds_of_labels(base: Path, tmp_path: Path, labels: str) -> None:
    write_rollouts(tmp_path / "trees.jsonl", [tree(n) for n in range(40)])
    config = process_settings(tmp_path / "trees.jsonl", base, tmp_path / "prm", labels=labels, epochs=20)
    manifest = json.loads((train_process_reward(config) / "egrm.json").read_text())
    assert manifest["data"]["train_steps"] == 3 * manifest["data"]["train_questions"]
    assert manifest["settings"]["labels"] == labels
    assert manifest["held_out"]["paths"] == 2 * manifest["data"]["held_out_questions"]
    # With these shares a step that mostly ends right looks like a coin flip, so only `share` may miss it.
    assert labels == "share" or manifest["held_out"]["first_error_f1"] == 1.0


def test_a_missing_kind_of_label_is_an_error(steps: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a step has no 'share'"):
        train_process_reward(process_settings(steps, base, tmp_path / "prm", labels="share"))
    assert not (tmp_path / "prm").exists()


def test_merging_steps_leaves_labels_out(steps: Path, base: Path, tmp_path: Path) -> None:
    folder = train_process_reward(process_settings(steps, base, tmp_path / "prm", merge_steps=0.5))
    data = json.loads((folder / "egrm.json").read_text())["data"]
    assert 2 * data["train_paths"] < data["train_steps"] < 3 * data["train_paths"]
    assert data["held_out_steps"] == 4 * data["held_out_paths"]


def test_the_data_say_where_steps_end(base: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt": f"{n}+1", "completions": ["7", "1" if n % 2 else "7"], "labels": [True, not n % 2]}
        for n in range(40)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = process_settings(tmp_path / "rows.jsonl", base, tmp_path / "prm", step_end=None)
    manifest = json.loads((train_process_reward(config) / "egrm.json").read_text())
    assert (manifest["steps"], manifest["aggregation"]) == ("lines", "product")  # no path has an answer to choose


def test_ends_that_no_rule_gives_need_an_option(steps: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--step-end"):
        train_process_reward(process_settings(steps, base, tmp_path / "prm", step_end=None))


def test_labels_elsewhere_than_the_rule_are_reported(steps: Path, base: Path, tmp_path: Path) -> None:
    messages = Messages()
    train_process_reward(process_settings(steps, base, tmp_path / "prm", step_end="#", epochs=1), observer=messages)
    assert "480 labeled steps end where the rule '#' does not end a step" in messages.messages


def test_a_template_with_the_path_first_is_refused(steps: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the path before the question"):
        train_process_reward(process_settings(steps, base, tmp_path / "prm", input="{path}:{question}"))


def test_steps_with_the_same_label_are_an_error(base: Path, tmp_path: Path) -> None:
    path = RolloutPath(text="7;", correct=True, steps=(RolloutStep(end=2, value=1),))
    write_rollouts(tmp_path / "rows.jsonl", [Rollout(id=n, question=f"{n}+1", paths=(path,)) for n in range(40)])
    with pytest.raises(InputError, match=r"every usable step in .* is right, but a scorer learns from differences"):
        train_process_reward(process_settings(tmp_path / "rows.jsonl", base, tmp_path / "prm"))


def test_paths_that_do_not_fit_are_left_out_and_counted(steps: Path, base: Path, tmp_path: Path) -> None:
    long = RolloutPath(text="7;" * 20, correct=True, steps=(RolloutStep(end=2, value=1),))
    with steps.open("a") as stream:
        for n in range(50, 60):
            stream.write(Rollout(id=n, question=f"{n}+1", reference="7", paths=(long,)).model_dump_json() + "\n")
    folder = train_process_reward(process_settings(steps, base, tmp_path / "prm", epochs=1))
    assert json.loads((folder / "egrm.json").read_text())["data"]["paths_left_out_as_empty_or_too_long"] == 10
