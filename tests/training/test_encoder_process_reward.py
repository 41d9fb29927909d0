"""Training a process scorer from an encoder, which reads a text for each step."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertModel,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedModel,
)

from egrm_graph.scoring.classifier import ClassifierScorer
from egrm_graph.scoring.input_template import parse_template
from egrm_graph.scoring.layout import Layout, backend_of
from egrm_graph.scoring.score_row import ScoreRow
from egrm_graph.scoring.step_profile import StepProfile
from egrm_graph.steps.cutting import step_cutter
from egrm_graph.training.batches import Example, collator, group, in_parts, logits_of, of_parts
from egrm_graph.training.rollout_file import Rollout, RolloutPath, RolloutStep, write_rollouts
from egrm_graph.training.step_batches import StepPreparation
from egrm_graph.training.step_data import read_step_rollouts
from egrm_graph.training.train_process_reward import ProcessGoal, train_process_reward
from tests.training.tiny import SIZES, Interrupting, contents, process_settings, save_steps, save_tokenizer

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("one_thread")]

SPECIAL: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
BASES: dict[str, Callable[[], PreTrainedModel]] = {
    "bert": lambda: BertModel(BertConfig(**SIZES, initializer_range=0.1)),
    "modernbert": lambda: ModernBertForMaskedLM(ModernBertConfig(**SIZES, **SPECIAL, initializer_range=0.1)),
}
SEVEN = RolloutPath(
    text="7;1;#7",
    answer="7",
    correct=False,
    steps=(RolloutStep(end=2, value=1), RolloutStep(end=4, value=0), RolloutStep(end=6, value=0)),
)
ROLLOUT = Rollout(id=0, question="1+6", reference="7", paths=(SEVEN,))


@pytest.fixture(scope="module", params=BASES)
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind: str = request.param
    folder = tmp_path_factory.mktemp("encoders") / kind
    torch.manual_seed(0)
    BASES[kind]().save_pretrained(folder)
    save_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def trained(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("process")
    steps = wrong_from_the_first_error(save_steps(folder / "steps.jsonl"))
    return train_process_reward(process_settings(steps, encoder, folder / "prm", epochs=30))


def wrong_from_the_first_error(file: Path) -> Path:
    """Labels all steps as wrong from the first wrong one, which a tiny encoder learns easily: some digit is not 7."""
    rollouts = [
        rollout.model_copy(update={"paths": tuple(map(_wrong_from_the_first_error, rollout.paths))})
        for rollout in read_step_rollouts(file)
    ]
    write_rollouts(file, rollouts)
    return file


def _wrong_from_the_first_error(path: RolloutPath) -> RolloutPath:
    values = accumulate((step.value for step in path.steps), min)
    steps = [step.model_copy(update={"value": value}) for step, value in zip(path.steps, values, strict=True)]
    return path.model_copy(update={"steps": tuple(steps)})


def preparation(folder: Path, *, one_text_each: bool = True, context: int = 32) -> StepPreparation:
    layout = Layout(backend_of(AutoTokenizer.from_pretrained(folder)), parse_template("{question}:{path}"), context)
    return StepPreparation(layout, StepProfile(one_text_each=one_text_each))


def test_each_labeled_step_is_a_row_of_its_own(encoder: Path) -> None:
    ((_, rows, targets),) = preparation(encoder).labeled([ROLLOUT], "value")
    ((_, (decoder_row,), decoder_targets),) = preparation(encoder, one_text_each=False).labeled([ROLLOUT], "value")
    assert [row.places for row in rows] == [(), (), ()]
    assert [list(row.ids) for row in rows] == [list(decoder_row.ids[: place + 1]) for place in decoder_row.places]
    assert targets == decoder_targets == [1, 0, 0]


def test_a_path_with_a_step_that_does_not_fit_is_left_out(encoder: Path) -> None:
    prepare = preparation(encoder, context=9)  # <s> 1+6: and four more tokens
    short = SEVEN.model_copy(update={"text": "7;1;", "steps": SEVEN.steps[:2]})
    (example,) = prepare.labeled([ROLLOUT.model_copy(update={"paths": (SEVEN, short)})], "value")
    assert example.rollout.paths == (short,)
    assert len(example.rows) == 2
    assert prepare.left_out == 1


async def test_the_checkpoint_scores_steps_as_plain_transformers_does(trained: Path) -> None:
    scorer = ClassifierScorer.load(trained, device="cpu")
    path = "7;7;1;#7"
    ends = step_cutter(scorer.step_profile.steps or "")(path)
    (found,) = await scorer.score_steps("99+1", [path], [ends])
    await scorer.aclose()
    model = AutoModelForSequenceClassification.from_pretrained(trained)
    tokenizer = AutoTokenizer.from_pretrained(trained)
    with torch.no_grad():
        texts = [tokenizer(f"99+1:{path[:end]}", return_tensors="pt")["input_ids"] for end in ends]
        expected = [float(model(input_ids=ids).logits[0, 0].sigmoid()) for ids in texts]
    assert found == pytest.approx(expected, abs=1e-5)  # as for decoders: a batch is padded, and one text is not
    assert len(expected) == 4


async def test_it_learns_to_tell_right_from_wrong_steps(trained: Path) -> None:
    manifest = json.loads((trained / "egrm.json").read_text())
    assert manifest["held_out"]["step_accuracy"] > 0.9
    assert manifest["data"]["train_steps"] == 4 * manifest["data"]["train_paths"]
    assert manifest["data"]["held_out_steps"] == 4 * manifest["data"]["held_out_paths"]
    report = json.loads((trained / "report.json").read_text())
    assert [figures["aggregation"] for figures in report["choices"]] == ["product", "minimum", "mean", "last", "merged"]


def test_logits_and_figures_do_not_depend_on_batches(encoder: Path, tmp_path: Path) -> None:
    rollouts = read_step_rollouts(save_steps(tmp_path / "steps.jsonl", questions=4))
    examples = preparation(encoder).labeled(rollouts, "value")
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=1)
    model.config.pad_token_id = 0
    expected = logits_of(model, examples, 1, 10_000)
    assert [len(some) for some in expected] == [16] * 4
    for max_questions, max_tokens in ((8, 1), (2, 40), (8, 150), (8, 10_000)):
        found = logits_of(model, examples, max_questions, max_tokens)
        for one, other in zip(found, expected, strict=True):
            assert one == pytest.approx(other, abs=1e-5)
        assert ProcessGoal().figures(examples, found) == pytest.approx(ProcessGoal().figures(examples, expected))


def test_small_batches_give_the_figures_that_the_report_has(encoder: Path, tmp_path: Path) -> None:
    steps = save_steps(tmp_path / "steps.jsonl", questions=12)
    folder = train_process_reward(
        process_settings(steps, encoder, tmp_path / "prm", epochs=2, evaluations=2, max_batch_tokens=60)
    )
    report = json.loads((folder / "report.json").read_text())
    (best,) = [entry for entry in report["curve"] if entry["step"] == report["best_step"] and "eval_loss" in entry]
    assert report["held_out"]["first_error_f1"] == pytest.approx(best["eval_first_error_f1"])
    assert report["held_out"]["step_accuracy"] == pytest.approx(best["eval_step_accuracy"])


def test_its_step_scores_are_calibrated(encoder: Path, tmp_path: Path) -> None:
    # whether the last digit is a 7 is too hard for it, so it makes mistakes
    folder = train_process_reward(process_settings(save_steps(tmp_path / "steps.jsonl"), encoder, tmp_path / "prm"))
    manifest = json.loads((folder / "egrm.json").read_text())
    assert manifest["calibration"]["temperature"] > 0
    assert manifest["calibration"]["paths"] == manifest["data"]["held_out_steps"]


def test_an_interrupted_training_continues(encoder: Path, tmp_path: Path) -> None:
    steps = save_steps(tmp_path / "steps.jsonl", questions=12)
    full = train_process_reward(process_settings(steps, encoder, tmp_path / "full", max_batch_tokens=200))
    cut = process_settings(steps, encoder, tmp_path / "cut", max_batch_tokens=200)
    with pytest.raises(KeyboardInterrupt):
        train_process_reward(cut, observer=Interrupting(at_step=9))
    train_process_reward(cut, resume=True)
    assert contents(tmp_path / "cut") == contents(full)


def test_large_encoders_learn_by_lora(encoder: Path, tmp_path: Path) -> None:
    steps = save_steps(tmp_path / "steps.jsonl")
    config = process_settings(steps, encoder, tmp_path / "prm", epochs=1, lora_rank=2, input="{path}:{question}")
    manifest = json.loads((train_process_reward(config) / "egrm.json").read_text())
    assert manifest["input"] == "{path}:{question}"  # an encoder reads the question with every step


@given(
    st.lists(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3)), min_size=1, max_size=6), max_size=20),
    st.integers(1, 5),
    st.integers(1, 200),
)
def test_batches_of_parts_stay_within_their_limits_and_hold_every_row_once(
    shapes: list[list[tuple[int, int]]], max_questions: int, max_tokens: int
) -> None:
    examples = []
    for shape in shapes:
        rows = [ScoreRow([5] * width, tuple(range(min(n, width)))) for width, n in shape]
        examples.append(Example(ROLLOUT, rows, [float(i) for i in range(sum(row.n_scores for row in rows))]))
    parts = in_parts(examples, max_tokens)
    assert [row for part in parts for row in part.rows] == [row for example in examples for row in example.rows]
    assert of_parts(examples, [part.targets for part in parts]) == [example.targets for example in examples]
    for batch in group(parts, max_questions, max_tokens):
        rows = [row for i in batch for row in parts[i].rows]
        assert len(rows) == 1 or len(rows) * max(len(row.ids) for row in rows) <= max_tokens


def test_a_batch_of_steps_has_a_label_for_each_row(encoder: Path) -> None:
    inputs = collator(preparation(encoder).labeled([ROLLOUT], "value"), pad_id=0)([[0]])
    assert "places" not in inputs
    assert tuple(inputs["input_ids"].shape) == (3, 11)
    assert inputs["labels"].tolist() == [1.0, 0.0, 0.0]
