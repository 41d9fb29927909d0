"""The scores of steps of encoders: each is the score of the path cut at the end of the step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    CTRLConfig,
    CTRLForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    PreTrainedModel,
)

from egrm_graph.errors import ModelError
from egrm_graph.scoring.checkpoint import check_config, read_manifest
from egrm_graph.scoring.classifier import ClassifierScorer
from egrm_graph.scoring.input_template import parse_template
from egrm_graph.scoring.layout import Layout, backend_of
from egrm_graph.scoring.score_row import ScoreText
from egrm_graph.scoring.scorer import StepScorer, Unscored
from egrm_graph.scoring.step_grading import StepGrading, step_grading
from egrm_graph.scoring.step_profile import profile_of
from egrm_graph.scoring.step_texts import step_texts
from egrm_graph.settings import BUNDLED_SCORER
from egrm_graph.steps.cutting import step_cutter
from tests.scoring.test_classifier import CONTEXT, QUESTION, TOKENS, build_tokenizer
from tests.scoring.test_remote import IDS, lengths, per_token, scorer_of_servers, serving, sigmoid

SIZES: dict[str, Any] = {
    "vocab_size": len(TOKENS),
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": CONTEXT,
    "pad_token_id": 0,
    "num_labels": 1,
    "initializer_range": 0.5,  # scores that differ
}
SPECIAL: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
ENCODERS: dict[str, Callable[[], PreTrainedModel]] = {
    "bert": lambda: BertForSequenceClassification(BertConfig(**SIZES)),
    "modernbert": lambda: ModernBertForSequenceClassification(ModernBertConfig(**SIZES, **SPECIAL)),
}
PATH = "17+40=57;57+8=65;#65"
ENDS = [9, 17, 20]


def encoder(kind: str = "bert") -> PreTrainedModel:
    torch.manual_seed(0)
    return ENCODERS[kind]()


def save(folder: Path, kind: str = "bert", **manifest: Any) -> Path:
    encoder(kind).save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    (folder / "egrm.json").write_text(json.dumps({"input": "{question}:{path}", **manifest}))
    return folder


def layout(template: str = "{question}:{path}") -> Layout:
    return Layout(backend_of(build_tokenizer()), parse_template(template), CONTEXT)


def by_hand(folder: Path, text: str) -> float:
    """The score that plain transformers gives one text, unbatched and unpadded."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        ids = torch.tensor([build_tokenizer()(text)["input_ids"]])
        return float(model(input_ids=ids).logits[0, 0].sigmoid())


@pytest.fixture(scope="module", params=ENCODERS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("encoders") / request.param, request.param)


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Iterator[ClassifierScorer]:
    loaded = ClassifierScorer.load(folder, device="cpu")
    yield loaded
    asyncio.run(loaded.aclose())


async def steps_of(scorer: StepScorer, path: str, ends: list[int]) -> list[float]:
    (found,) = await scorer.score_steps(QUESTION, [path], [ends])
    assert isinstance(found, list)
    return found


async def test_a_step_has_the_score_of_the_path_cut_there(scorer: ClassifierScorer, folder: Path) -> None:
    found = await steps_of(scorer, PATH, ENDS)
    assert found == pytest.approx(await scorer.score(QUESTION, [PATH[:end] for end in ENDS]), abs=1e-6)
    assert found == pytest.approx([by_hand(folder, f"{QUESTION}:{PATH[:end]}") for end in ENDS], abs=1e-6)
    assert max(found) - min(found) > 1e-3


async def test_the_score_of_a_step_does_not_depend_on_what_follows(scorer: ClassifierScorer) -> None:
    found = await steps_of(scorer, PATH, ENDS)
    assert (await steps_of(scorer, f"{PATH[:17]}1111=9", [9, 17, 23]))[:2] == pytest.approx(found[:2], abs=1e-6)
    assert await steps_of(scorer, PATH, ENDS[:2]) == pytest.approx(found[:2], abs=1e-6)


@pytest.mark.parametrize(("max_batch_tokens", "max_pending_paths"), [(1, 1), (60, 2), (16384, 1024)])
async def test_step_scores_do_not_depend_on_batches(
    scorer: ClassifierScorer, folder: Path, max_batch_tokens: int, max_pending_paths: int
) -> None:
    paths = [PATH, "#65", "17+40=56;#56", PATH]
    ends = [step_cutter(";")(path) for path in paths]
    other = ClassifierScorer.load(
        folder, device="cpu", max_batch_tokens=max_batch_tokens, max_pending_paths=max_pending_paths
    )
    for found, expected in zip(
        await other.score_steps(QUESTION, paths, ends), await scorer.score_steps(QUESTION, paths, ends), strict=True
    ):
        assert found == pytest.approx(expected, abs=1e-6)
    await other.aclose()


async def test_the_score_of_a_process_scorer_is_the_aggregate_of_its_step_scores(tmp_path: Path) -> None:
    scorer = ClassifierScorer.load(save(tmp_path / "mine", steps=";", aggregation="minimum"), device="cpu")
    assert await scorer.score(QUESTION, [PATH, ""]) == [
        pytest.approx(min(await steps_of(scorer, PATH, ENDS)), abs=1e-6),
        Unscored("the path is empty"),
    ]
    await scorer.aclose()


async def test_an_outcome_scorer_can_be_read_at_the_ends_of_steps(scorer: ClassifierScorer) -> None:
    assert step_grading(scorer, "auto", "auto") is None
    assert step_grading(scorer, ";", "minimum") == StepGrading(";", "minimum", scorer.step_profile)


@pytest.mark.parametrize("template", ["{question}:{path}#", "{path}:{question}"])
async def test_any_template_will_do_and_the_last_step_has_the_score_of_the_path(template: str) -> None:
    scorer = ClassifierScorer(encoder(), layout(template), name="bert")
    assert await steps_of(scorer, PATH, ENDS) == pytest.approx(
        await scorer.score(QUESTION, [PATH[:end] for end in ENDS]), abs=1e-6
    )
    await scorer.aclose()


CALIBRATION = {"temperature": 1.0, **dict.fromkeys(("questions", "paths"), 1)}
CALIBRATION |= dict.fromkeys(("ece_before", "ece_after", "brier_before", "brier_after"), 0.0)


def test_the_last_step_of_a_calibrated_outcome_scorer_is_a_probability(tmp_path: Path) -> None:
    folder = save(tmp_path / "mine", input="{question}:{path}#", calibration={**CALIBRATION, "cross_fitted": True})
    profile = profile_of(read_manifest(folder), check_config(folder), Layout.load(folder))
    assert profile.calibrates(";", "last")
    assert not profile.calibrates(";", "product")


@pytest.mark.parametrize(
    ("path", "ends", "reason"),
    [
        ("", [], "the path is empty"),
        ("#65", [], "the path has no steps"),
        ("1;2", [2, 2, 3], "step 2 of 3 is empty"),
        ("1;2", [2, 9], "step 2 ends after 9 characters, and the path has 3"),
        (f"1;{'1' * 40}", [2, 42], "question and path are 49 tokens, and the scorer reads at most 32"),
    ],
)
async def test_a_path_whose_steps_cannot_be_read_is_unscored_and_the_others_have_scores(
    path: str, ends: list[int], reason: str
) -> None:
    scorer = ClassifierScorer(encoder(), layout(), name="bert")
    flawed, found = await scorer.score_steps(QUESTION, [path, PATH], [ends, ENDS])
    assert flawed == Unscored(reason)
    assert found == pytest.approx(await steps_of(scorer, PATH, ENDS), abs=1e-6)
    await scorer.aclose()


async def test_a_decoder_whose_head_has_another_name_also_reads_a_text_for_each_step() -> None:
    torch.manual_seed(0)
    config = CTRLConfig(vocab_size=len(TOKENS), n_embd=16, dff=32, n_layer=1, n_head=2, n_positions=CONTEXT)
    config.num_labels, config.pad_token_id = 1, 0
    scorer = ClassifierScorer(CTRLForSequenceClassification(config), layout(), name="ctrl")
    assert scorer.step_profile.one_text_each
    assert await steps_of(scorer, PATH, ENDS) == pytest.approx(
        await scorer.score(QUESTION, [PATH[:end] for end in ENDS]), abs=1e-6
    )
    await scorer.aclose()


def test_a_decoder_reads_one_text_and_an_encoder_one_for_each_step() -> None:
    assert step_texts("1;2", [2, 3], one_each=False) == [ScoreText("1;2", (2, 3))]
    assert step_texts("1;2", [2, 3], one_each=True) == [ScoreText("1;"), ScoreText("1;2")]


async def test_a_served_encoder_gets_a_text_for_each_step(tmp_path: Path) -> None:
    folder = save(tmp_path / BUNDLED_SCORER, steps=";", aggregation="minimum")
    async with (
        serving(lengths, context=CONTEXT).running() as server,
        scorer_of_servers(server, folder=folder) as scorer,
    ):
        found = await steps_of(scorer, "1;2", [2, 3])
        aggregated = await scorer.score(QUESTION, ["1;2"])
    assert [len(row) - len(IDS) for row in server.bodies[0]["input"]] == [2, 3]
    assert {body["task"] for body in server.bodies} == {"classify"}
    assert found == pytest.approx([sigmoid(2), sigmoid(3)], abs=1e-7)
    assert aggregated == pytest.approx([sigmoid(2)], abs=1e-7)


async def test_an_encoder_that_is_served_for_tokens_is_an_error_that_names_the_command(tmp_path: Path) -> None:
    folder = save(tmp_path / BUNDLED_SCORER)
    async with (
        serving(per_token, context=CONTEXT).running() as server,
        scorer_of_servers(server, folder=folder) as scorer,
    ):
        with pytest.raises(ModelError, match=rf"scores full paths; serve it with `egrm serve-model {folder}` \("):
            await scorer.score_steps(QUESTION, ["1;2"], [[2, 3]])
