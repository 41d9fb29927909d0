"""The scores of steps: where the head is read, which paths have none, and which scorers cannot give them."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, LlamaForSequenceClassification
from transformers.models.auto import modeling_auto

from egrm_graph.errors import ModelError
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.checkpoint import Manifest, check_config, read_manifest
from egrm_graph.scoring.classifier import ClassifierScorer
from egrm_graph.scoring.input_template import parse_template
from egrm_graph.scoring.layout import Layout
from egrm_graph.scoring.score_row import ScoreRow, ScoreText
from egrm_graph.scoring.scorer import Unscored
from egrm_graph.scoring.step_profile import READS_BOTH_WAYS, ProfiledScorer, StepProfile, profile_of
from egrm_graph.scoring.step_texts import step_texts
from egrm_graph.settings import BUNDLED_SCORER
from egrm_graph.steps.cutting import step_cutter
from tests.scoring.test_classifier import QUESTION, build, build_layout

FOLDER = bundled(BUNDLED_SCORER)
RIGHT = "47+30=77;77+8=85;85-6=79;#79"
WRONG_THIRD = "47+30=77;77+8=85;85-6=78;#78"
SUM = "47+38-6"
ENDS = [9, 17, 25, 28]


@pytest.fixture(scope="module")
def scorer() -> Iterator[ClassifierScorer]:
    loaded = ClassifierScorer.load(FOLDER, device="cpu")
    yield loaded
    asyncio.run(loaded.aclose())


def by_hand(text: str, start: int, ends: Sequence[int]) -> list[float]:
    """The sigmoids of the head at the last character before each end, of the bundled scorer, unbatched and unpadded."""
    model = LlamaForSequenceClassification.from_pretrained(FOLDER, dtype=torch.float32)
    ids = AutoTokenizer.from_pretrained(FOLDER)(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = model.score(model.model(input_ids=ids).last_hidden_state)[0, :, 0]
    # one token for each character, after <s>
    return [1 / (1 + math.exp(-float(logits[start + end]))) for end in ends]


def places(layout: Layout, path: str, ends: Sequence[int], question: str = "q") -> tuple[int, ...] | Unscored:
    texts = step_texts(path, ends, one_each=False)
    if isinstance(texts, Unscored):
        return texts
    (row,) = layout.text_rows(question, texts)
    return row if isinstance(row, Unscored) else row.places


async def test_a_step_is_read_at_its_last_token(scorer: ClassifierScorer) -> None:
    assert step_cutter(";")(RIGHT) == ENDS
    found = await scorer.score_steps(SUM, [RIGHT, WRONG_THIRD], [ENDS, ENDS])
    for path, scores in zip((RIGHT, WRONG_THIRD), found, strict=True):
        assert scores == pytest.approx(by_hand(f"{SUM}:{path}", len(SUM) + 1, ENDS), abs=1e-5)


async def test_the_scores_show_the_first_wrong_step(scorer: ClassifierScorer) -> None:
    right, wrong = await scorer.score_steps(SUM, [RIGHT, WRONG_THIRD], [ENDS, ENDS])
    assert not isinstance(right, Unscored)
    assert not isinstance(wrong, Unscored)
    assert min(right) > 0.9
    assert min(wrong[:2]) > 0.9
    assert max(wrong[2:]) < 0.1


async def test_the_score_of_a_step_does_not_depend_on_what_follows(scorer: ClassifierScorer) -> None:
    full, first = await scorer.score_steps(SUM, [RIGHT, RIGHT[:9]], [ENDS, [9]])
    assert not isinstance(full, Unscored)
    assert first == pytest.approx(full[:1], abs=1e-6)


async def test_the_last_step_of_an_outcome_scorer_has_the_score_of_the_path(scorer: ClassifierScorer) -> None:
    (steps,), (score,) = await scorer.score_steps(SUM, [RIGHT], [ENDS]), await scorer.score(SUM, [RIGHT])
    assert not isinstance(steps, Unscored)
    assert steps[-1] == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("max_batch_tokens", [1, 60, 16384])
async def test_step_scores_do_not_depend_on_batches(scorer: ClassifierScorer, max_batch_tokens: int) -> None:
    paths = [RIGHT, "#79", WRONG_THIRD, "47+30=77;#77"]
    ends = [step_cutter(";")(path) for path in paths]
    other = ClassifierScorer.load(FOLDER, device="cpu", max_batch_tokens=max_batch_tokens)
    for found, expected in zip(
        await other.score_steps(SUM, paths, ends), await scorer.score_steps(SUM, paths, ends), strict=True
    ):
        assert found == pytest.approx(expected, abs=1e-5)
    await other.aclose()


async def test_full_texts_and_steps_share_batches() -> None:
    shapes: list[tuple[int, ...]] = []
    model = build()
    model.register_forward_pre_hook(lambda _, __, kwargs: shapes.append(kwargs["input_ids"].shape), with_kwargs=True)
    scorer = ClassifierScorer(model, build_layout(), name="small", max_batch_tokens=100)
    alone = await scorer.score(QUESTION, ["#65"]), await scorer.score_steps(QUESTION, ["#6;5"], [[3, 4]])
    shapes.clear()
    together = await asyncio.gather(
        scorer.score(QUESTION, ["#65"]), scorer.score_steps(QUESTION, ["#6;5", "#6;5"], [[3, 4], [3, 4]])
    )
    assert together[0] == pytest.approx(alone[0], abs=1e-6)
    assert together[1] == [pytest.approx(alone[1][0], abs=1e-6)] * 2
    assert sum(shape[0] for shape in shapes) == 2  # equal rows are scored once
    await scorer.aclose()


@pytest.mark.parametrize(
    ("path", "ends", "reason"),
    [
        ("", [], "the path is empty"),
        ("#65", [], "the path has no steps"),
        ("1;2", [2, 2, 3], "step 2 of 3 is empty"),
        ("1; 2", [2, 3, 4], "step 2 of 3 is empty"),
        ("1;2", [2, 9], "step 2 ends after 9 characters, and the path has 3"),
        ("1" * 40, [40], "question and path are 47 tokens, and the scorer reads at most 32"),
    ],
)
def test_a_path_whose_steps_cannot_be_read_is_unscored_with_the_reason(path: str, ends: list[int], reason: str) -> None:
    assert places(build_layout(), path, ends, QUESTION) == Unscored(reason)


async def test_a_step_whose_logit_is_not_a_number_makes_its_path_unscored() -> None:
    model = build()

    def spoil(_: Any, __: Any, output: torch.Tensor) -> torch.Tensor:
        output[0, 8] = math.nan  # the token after <s>, 17+48, and the colon is at 7
        return output

    model.score.register_forward_hook(spoil)
    scorer = ClassifierScorer(model, build_layout(), name="broken", max_batch_tokens=1)
    first, second = await scorer.score_steps(QUESTION, ["1;2", "1;2;"], [[2, 3], [1, 4]])
    assert first == Unscored("the scorer gave nan")
    assert not isinstance(second, Unscored)
    await scorer.aclose()


def bpe_layout(template: str, **changes: Any) -> Layout:
    """A layout whose tokens may be longer than a character: `;2` and `ab` are one."""
    from tokenizers import Tokenizer, models, processors

    letters = {token: i for i, token in enumerate(("<s>", "</s>", *"ab12;#q:ENDr ", ";2", "ab"))}
    core = Tokenizer(models.BPE(letters, [(";", "2"), ("a", "b")]))
    core.add_special_tokens(["<s>", "</s>"])
    if changes.get("closes"):
        core.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return Layout(core, parse_template(template), 64)


def test_a_token_that_reaches_into_the_next_step_is_not_read() -> None:
    # q : a ;2 a   -> the step ends after ";", within the token ";2", so the place is that of "a"
    assert places(bpe_layout("{question}:{path}"), "a;2a", [2, 4]) == (2, 4)


def test_a_token_over_two_step_ends_leaves_the_path_unscored() -> None:
    # q : ab
    reason = "no token ends within step 1 of 2, so its score cannot be read"
    assert places(bpe_layout("{question}:{path}"), "ab", [1, 2]) == Unscored(reason)
    reason = "no token ends within step 2 of 3, so its score cannot be read"
    assert places(bpe_layout("{question}:{path}"), "1ab", [1, 2, 3]) == Unscored(reason)


def test_text_after_the_path_is_never_read() -> None:
    layout = bpe_layout("{question}:{path}END")
    assert places(layout, "a;1", [2, 3]) == (3, 4)  # q : a ; 1 E N D
    assert not layout.ends_with_path
    assert bpe_layout("{question}:{path}").ends_with_path
    assert not bpe_layout("{question}:{path}", closes=True).ends_with_path


def test_a_token_that_joins_the_path_and_the_text_after_it_is_not_read() -> None:
    assert places(bpe_layout("{question}:{path}b"), "1a", [1, 2]) == Unscored(
        "no token ends within step 2 of 2, so its score cannot be read"
    )


def test_special_tokens_that_are_read_as_text_do_not_shift_the_places() -> None:
    # the tokenizer of the bundled scorer has no tokens for the characters of </s>, so there are four unknown ones
    layout = Layout.load(FOLDER)
    (row,) = layout.text_rows(SUM, [ScoreText("</s>1;2;", (6, 8))])
    assert isinstance(row, ScoreRow)
    colon = len(SUM) + 1  # after <s>
    assert row.ids[colon + 1 : colon + 5] == [3, 3, 3, 3]
    assert row.places == (colon + 6, colon + 8)
    assert row.ids == layout.rows(SUM, ["</s>1;2;"])[0]


def test_places_count_from_the_path_although_its_white_space_is_stripped(tmp_path: Path) -> None:
    folder = copytree(FOLDER, tmp_path / "chat")
    (folder / "egrm.json").unlink()
    template = "{% for m in messages %}{{ m['content'] | trim }}{{ ':' if loop.first else '' }}{% endfor %}"
    (folder / "chat_template.jinja").write_text(template)
    layout = Layout.load(folder)
    assert places(layout, "1;2", [2, 3], "5") == (3, 4)  # 5 : 1 ; 2
    assert places(layout, "\n 1;2\n", [4, 6], "5") == (3, 4)


def copied(folder: Path, config: dict[str, Any] | None = None, **manifest: Any) -> Path:
    """A copy of the bundled scorer with these changes."""
    copytree(FOLDER, folder)
    for name, changes in (("config.json", config or {}), ("egrm.json", manifest)):
        (folder / name).write_text(json.dumps({**json.loads((folder / name).read_text()), **changes}))
    return folder


def profiled(folder: Path) -> StepProfile:
    return profile_of(read_manifest(folder), check_config(folder), Layout.load(folder))


def test_an_outcome_scorer_was_trained_on_no_steps_and_only_its_last_step_is_a_probability() -> None:
    assert profiled(FOLDER) == StepProfile(None, "product", last_is_probability=True)


@pytest.mark.parametrize("manifest", [{"calibration": None}, {"input": "{question}:{path}#"}, {"steps": ";"}])
def test_the_last_step_is_not_a_probability_if_that_was_not_calibrated(
    tmp_path: Path, manifest: dict[str, Any]
) -> None:
    assert not profiled(copied(tmp_path / "mine", **manifest)).last_is_probability


FITTED = {
    "steps": ";",
    "aggregation": "minimum",
    "slope": 2.0,
    "intercept": 0.5,
    **dict.fromkeys(("questions", "paths", "ece_before", "ece_after", "brier_before", "brier_after"), 0),
}


def test_a_calibrated_aggregation_is_of_the_steps_that_it_was_fitted_on(tmp_path: Path) -> None:
    profile = profiled(copied(tmp_path / "mine", steps=";", path_calibration=FITTED))
    assert profile.aggregation == "minimum"  # the one that was calibrated, unless the manifest names another
    assert profile.calibrates(";", "minimum")
    assert not profile.calibrates("lines", "minimum")
    assert not profile.calibrates(";", "product")
    assert not profile.calibrates(";", "last")
    assert StepProfile(last_is_probability=True).calibrates("lines", "last")
    # the logit of 0.75 is ln 3, so the score is sigmoid(2 ln 3 + 0.5) = 9 e^0.5 / (1 + 9 e^0.5)
    assert profile.path_score([0.75, 0.9], ";", "minimum") == pytest.approx(9 * math.e**0.5 / (1 + 9 * math.e**0.5))
    assert profile.path_score([0.75, 0.8], ";", "product") == pytest.approx(0.6)


async def test_a_process_scorer_whose_aggregate_was_calibrated_is_calibrated(
    tmp_path: Path, scorer: ClassifierScorer
) -> None:
    process = ClassifierScorer.load(copied(tmp_path / "mine", steps=";", path_calibration=FITTED), device="cpu")
    assert process.calibrated
    (steps,) = await scorer.score_steps(SUM, [RIGHT], [ENDS])
    assert not isinstance(steps, Unscored)
    expected = process.step_profile.path_score(steps, ";", "minimum")
    assert await process.score(SUM, [RIGHT]) == [pytest.approx(expected, abs=1e-5)]
    await process.aclose()


@pytest.mark.parametrize(
    "manifest",
    [
        {"steps": "("},
        {"aggregation": "median"},
        {"path_calibration": {**FITTED, "aggregation": "median"}},
        {"path_calibration": {**FITTED, "slope": -1}},
    ],
)
def test_a_manifest_with_steps_that_cannot_be_used_is_refused(tmp_path: Path, manifest: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"egrm\.json cannot be used"):
        read_manifest(copied(tmp_path / "mine", **manifest))


async def test_the_score_of_a_process_scorer_is_the_aggregate_of_its_step_scores(
    tmp_path: Path, scorer: ClassifierScorer
) -> None:
    (steps,) = await scorer.score_steps(SUM, [WRONG_THIRD], [ENDS])
    assert not isinstance(steps, Unscored)
    for aggregation, expected in (("product", math.prod(steps)), ("mean", sum(steps) / 4), (None, math.prod(steps))):
        folder = copied(tmp_path / str(aggregation), steps=";", aggregation=aggregation)
        process = ClassifierScorer.load(folder, device="cpu")
        assert isinstance(process, ProfiledScorer)
        assert not process.calibrated
        empty, found = await process.score(SUM, [" ", WRONG_THIRD])
        assert empty == Unscored("the path is empty")
        assert found == pytest.approx(expected, rel=1e-4)
        await process.aclose()


async def test_a_decoder_that_would_read_a_step_without_the_question_cannot_score_steps(tmp_path: Path) -> None:
    profile = profiled(copied(tmp_path / "mine", input="{path}:{question}"))
    scorer = ClassifierScorer(build(), build_layout(), name="mine", profile=profile)
    with pytest.raises(ModelError, match=r"mine cannot score steps: its template has the path before .*use a scorer"):
        await scorer.score_steps(QUESTION, ["#65"], [[3]])
    assert isinstance((await scorer.score(QUESTION, ["#65"]))[0], float)
    await scorer.aclose()


def test_every_encoder_of_transformers_is_known() -> None:
    classifiers = set(modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES)
    masked = set(modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES)
    decoders = set(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES) - masked
    both = {"bart", "mbart", "mvp", "mt5", "t5", "t5gemma", "t5gemma2", "umt5"}  # `is_encoder_decoder` says so
    assert classifiers & masked - both <= READS_BOTH_WAYS
    assert READS_BOTH_WAYS & decoders == {"xlnet"}


def test_two_labels_are_refused_with_the_way_to_make_one_of_them(tmp_path: Path) -> None:
    two = {"id2label": {"0": "wrong", "1": "right"}, "label2id": {"wrong": 0, "right": 1}}
    with pytest.raises(ModelError, match=r"has 2 labels, .*the difference of the two rows of its head"):
        check_config(copied(tmp_path / "two", two))
    three = {"id2label": {"0": "wrong", "1": "neutral", "2": "right"}}
    with pytest.raises(ModelError, match=r"has 3 labels, but a scorer has 1.*num_labels=1$"):
        check_config(copied(tmp_path / "three", three))


def test_a_manifest_without_steps_is_an_outcome_scorer() -> None:
    assert (Manifest().steps, Manifest().aggregation, Manifest().path_calibration) == (None, None, None)
