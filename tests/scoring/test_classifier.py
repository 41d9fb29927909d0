"""The in-process scorer: what it loads, what it refuses, and which paths have no score."""

from __future__ import annotations

import asyncio
import json
import math
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForSequenceClassification, PreTrainedTokenizerFast

from egrm_graph.errors import ModelError
from egrm_graph.scoring.checkpoint import Manifest
from egrm_graph.scoring.classifier import ClassifierScorer
from egrm_graph.scoring.input_template import parse_template
from egrm_graph.scoring.layout import Layout, backend_of
from egrm_graph.scoring.scorer import Scorer, Unscored
from egrm_graph.scoring.scorer_loading import dtype_on

CONTEXT = 32
TOKENS = ("<pad>", "<s>", "</s>", "<unk>", *"0123456789+-=:;#")
QUESTION = "17+48"
PATHS = ["#65", "17+40=57;57+8=65;#65", "17+40=56;#56", "#6"]


def build(**config: Any) -> LlamaForSequenceClassification:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    known = {"vocab_size": len(TOKENS), "max_position_embeddings": CONTEXT, "num_labels": 1, "pad_token_id": 0}
    model = LlamaForSequenceClassification(LlamaConfig(**{**sizes, **known, **config}))
    torch.nn.init.normal_(model.score.weight, std=1.0)  # scores that differ
    return model


def build_tokenizer() -> PreTrainedTokenizerFast:
    core = Tokenizer(models.WordLevel({token: i for i, token in enumerate(TOKENS)}, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    core.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, **special)


def build_layout() -> Layout:
    return Layout(backend_of(build_tokenizer()), parse_template("{question}:{path}"), CONTEXT)


def save(folder: Path, *, template: str | None = "{question}:{path}", **config: Any) -> Path:
    build(**config).save_pretrained(folder)
    build_tokenizer().save_pretrained(folder)
    if template is not None:
        (folder / "egrm.json").write_text(json.dumps({"input": template}))
    return folder


def by_hand(folder: Path, text: str) -> float:
    """The score of one text, unbatched and unpadded."""
    model = LlamaForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        ids = torch.tensor([build_tokenizer()(text)["input_ids"]])
        return float(model(input_ids=ids).logits[0, 0].sigmoid())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("scorers") / "small")


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Iterator[ClassifierScorer]:
    loaded = ClassifierScorer.load(folder, device="cpu")
    yield loaded
    asyncio.run(loaded.aclose())


async def test_it_is_a_scorer_named_after_its_folder(scorer: ClassifierScorer) -> None:
    assert isinstance(scorer, Scorer)
    assert scorer.name == "small"


async def test_a_score_is_the_sigmoid_of_the_logit(folder: Path, scorer: ClassifierScorer) -> None:
    expected = [by_hand(folder, f"{QUESTION}:{path}") for path in PATHS]
    assert await scorer.score(QUESTION, PATHS) == pytest.approx(expected, abs=1e-5)
    assert len(set(expected)) == len(PATHS)


@pytest.mark.parametrize("max_batch_tokens", [1, 50, 16384])
async def test_scores_do_not_depend_on_how_paths_are_batched(folder: Path, max_batch_tokens: int) -> None:
    scorer = ClassifierScorer.load(folder, max_batch_tokens=max_batch_tokens, device="cpu")
    expected = [by_hand(folder, f"{QUESTION}:{path}") for path in PATHS]
    assert await scorer.score(QUESTION, PATHS) == pytest.approx(expected, abs=1e-5)
    await scorer.aclose()


async def test_batches_stay_within_the_token_limit(folder: Path) -> None:
    shapes: list[tuple[int, ...]] = []
    model = build()
    model.register_forward_pre_hook(lambda _, __, kwargs: shapes.append(kwargs["input_ids"].shape), with_kwargs=True)
    scorer = ClassifierScorer(model, build_layout(), name="", max_batch_tokens=40)
    await scorer.score(QUESTION, PATHS)
    # 10, 27, 19, and 9 tokens with <s>, the question, and the colon. The first goes with the last: 2 * 10 <= 40, but
    # 3 * 19 and 2 * 27 are more.
    assert [tuple(shape) for shape in shapes] == [(2, 10), (1, 27), (1, 19)]
    await scorer.aclose()


async def test_no_paths_have_no_scores(scorer: ClassifierScorer) -> None:
    assert await scorer.score(QUESTION, []) == []


async def test_a_path_longer_than_the_context_is_unscored_and_the_others_have_scores(
    scorer: ClassifierScorer,
) -> None:
    alone = await scorer.score(QUESTION, PATHS[:1])
    scores = await scorer.score(QUESTION, ["1" * 40, PATHS[0]])
    # <s>, five characters, a colon, and forty digits
    assert scores[0] == Unscored("question and path are 47 tokens, and the scorer reads at most 32")
    assert scores[1:] == pytest.approx(alone, abs=1e-5)


async def test_a_path_that_just_fits_is_scored(scorer: ClassifierScorer) -> None:
    assert isinstance((await scorer.score(QUESTION, ["1" * 25]))[0], float)
    assert isinstance((await scorer.score(QUESTION, ["1" * 26]))[0], Unscored)


@pytest.mark.parametrize("path", ["", "  \n"])
async def test_an_empty_path_is_unscored(scorer: ClassifierScorer, path: str) -> None:
    assert await scorer.score(QUESTION, [path]) == [Unscored("the path is empty")]


async def test_text_that_is_not_unicode_is_unscored(scorer: ClassifierScorer) -> None:
    scores = await scorer.score(QUESTION, ["\ud800", PATHS[0]])
    assert scores[0] == Unscored("the question or the path is not valid Unicode")
    assert isinstance(scores[1], float)


@pytest.mark.parametrize("weight", [math.nan, math.inf])
async def test_an_output_that_is_not_a_number_is_unscored(weight: float) -> None:
    model = build()
    torch.nn.init.constant_(model.score.weight, weight)
    scorer = ClassifierScorer(model, build_layout(), name="broken")
    assert [type(score) for score in await scorer.score(QUESTION, PATHS)] == [Unscored] * len(PATHS)
    await scorer.aclose()


def to_infinity(_: Any, __: Any, output: torch.Tensor) -> torch.Tensor:
    return torch.full_like(output, math.inf)


async def test_an_infinite_logit_is_not_a_perfect_score() -> None:
    model = build()
    model.score.register_forward_hook(to_infinity)
    scorer = ClassifierScorer(model, build_layout(), name="broken")
    assert await scorer.score(QUESTION, PATHS[:1]) == [Unscored("the scorer gave inf")]
    await scorer.aclose()


async def test_a_failed_batch_does_not_affect_the_others(folder: Path, scorer: ClassifierScorer) -> None:
    def fail(_: Any, __: Any, kwargs: dict[str, Any]) -> None:
        if kwargs["input_ids"].shape[1] > 20:
            raise torch.OutOfMemoryError("out of memory")

    model = LlamaForSequenceClassification.from_pretrained(folder)
    model.register_forward_pre_hook(fail, with_kwargs=True)
    failing = ClassifierScorer(model, build_layout(), name="failing", max_batch_tokens=1)
    scores = await failing.score(QUESTION, [PATHS[1], PATHS[0]])
    assert scores[0] == Unscored("the scorer failed: out of memory")
    assert scores[1:] == pytest.approx(await scorer.score(QUESTION, PATHS[:1]), abs=1e-5)
    await failing.aclose()


async def test_a_batch_that_runs_out_of_memory_is_retried_in_halves() -> None:
    shapes: list[tuple[int, ...]] = []

    def fail(_: Any, __: Any, kwargs: dict[str, Any]) -> None:
        shapes.append(tuple(kwargs["input_ids"].shape))
        if shapes[-1][0] * shapes[-1][1] > 30:
            raise torch.OutOfMemoryError("out of memory")

    paths = ["#1", "#2", "#3", "1" * 25]  # 9, 9, 9, and 32 tokens
    intact = ClassifierScorer(build(), build_layout(), name="intact")
    model = build()
    model.register_forward_pre_hook(fail, with_kwargs=True)
    tight = ClassifierScorer(model, build_layout(), name="tight")
    scores = await tight.score(QUESTION, paths)
    assert scores[:3] == pytest.approx((await intact.score(QUESTION, paths))[:3], abs=1e-5)
    assert scores[3] == Unscored("the scorer failed: out of memory")
    assert sorted(shapes, reverse=True) == [(4, 32), (2, 32), (2, 9), (1, 32), (1, 9)]
    await intact.aclose()
    await tight.aclose()


async def test_a_score_does_not_depend_on_concurrent_requests(folder: Path) -> None:
    scorer = ClassifierScorer.load(folder, device="cpu")
    alone = [(await scorer.score(QUESTION, [path]))[0] for path in PATHS]
    together = await asyncio.gather(*(scorer.score(QUESTION, [path]) for path in [*PATHS, *"0123456789"]))
    assert [score for (score,) in together[: len(PATHS)]] == pytest.approx(alone, abs=1e-5)
    await scorer.aclose()


async def test_paths_beyond_the_pending_limit_are_scored_in_turns(folder: Path, scorer: ClassifierScorer) -> None:
    narrow = ClassifierScorer.load(folder, device="cpu", max_pending_paths=3)
    assert await narrow.score(QUESTION, PATHS) == pytest.approx(await scorer.score(QUESTION, PATHS), abs=1e-5)
    await narrow.aclose()


async def test_a_path_of_a_million_characters_is_unscored_with_its_length(scorer: ClassifierScorer) -> None:
    assert await scorer.score(QUESTION, ["1" * 1_000_000]) == [
        Unscored(
            "question and path are 1000006 characters, which is more than the 32 tokens that the scorer reads at most"
        )
    ]


@pytest.mark.parametrize("calibrated", [True, False])
def test_a_scorer_says_whether_it_is_calibrated(calibrated: bool) -> None:
    assert ClassifierScorer(build(), build_layout(), name="", calibrated=calibrated).calibrated is calibrated


async def test_a_scorer_without_a_calibration_in_its_manifest_is_not_calibrated(scorer: ClassifierScorer) -> None:
    assert scorer.calibrated is False


async def test_special_tokens_in_a_path_are_plain_text(scorer: ClassifierScorer) -> None:
    # As the padding token, it would be skipped, and both scores would be equal.
    plain, forged = await scorer.score(QUESTION, ["#65", "#65<pad>"])
    assert plain != pytest.approx(forged, abs=1e-3)


async def test_concurrent_calls_get_their_own_scores(folder: Path, scorer: ClassifierScorer) -> None:
    questions = [f"{n}+1" for n in range(20)]
    scores = await asyncio.gather(*(scorer.score(question, PATHS) for question in questions))
    for question, found in zip(questions[::7], scores[::7], strict=True):
        assert found == pytest.approx([by_hand(folder, f"{question}:{path}") for path in PATHS], abs=1e-5)


def test_one_scorer_serves_several_event_loops(scorer: ClassifierScorer) -> None:
    first = asyncio.run(scorer.score(QUESTION, PATHS))
    assert asyncio.run(scorer.score(QUESTION, PATHS)) == first


async def test_scoring_runs_off_the_event_loop() -> None:
    threads: set[str] = set()
    model = build()
    model.register_forward_pre_hook(lambda _, __: threads.add(threading.current_thread().name))
    scorer = ClassifierScorer(model, build_layout(), name="")
    await scorer.score(QUESTION, PATHS)
    await scorer.score(QUESTION, PATHS)
    assert threads == {"egrm-scorer_0"}
    await scorer.aclose()


async def test_a_closed_scorer_says_so(folder: Path) -> None:
    scorer = ClassifierScorer.load(folder, device="cpu")
    await scorer.aclose()
    await scorer.aclose()
    with pytest.raises(ModelError, match="'small' is closed"):
        await scorer.score(QUESTION, PATHS)


async def test_without_a_template_a_blank_line_separates_question_and_path(tmp_path: Path) -> None:
    scorer = ClassifierScorer.load(save(tmp_path / "plain", template=None), device="cpu")
    expected = by_hand(tmp_path / "plain", f"{QUESTION}\n\n#65")
    assert await scorer.score(QUESTION, ["#65"]) == pytest.approx([expected], abs=1e-5)
    await scorer.aclose()


@pytest.mark.parametrize("template", ["{question}", "{path}", "{question}{path}{path}"])
def test_a_template_needs_each_placeholder_once(template: str) -> None:
    with pytest.raises(ValueError, match="exactly once"):
        Manifest(input=template)


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save(build().state_dict(), folder / "pytorch_model.bin")


def remote_code(folder: Path) -> None:
    change(folder / "config.json", auto_map={"AutoConfig": "evil.Config"})


def remote_tokenizer(folder: Path) -> None:
    change(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Tokenizer", None]})


def without_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def cut_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:100])


def broken_template(folder: Path) -> None:
    (folder / "egrm.json").write_text('{"input": "{question}"}')


def two_labels(folder: Path) -> None:
    build(num_labels=2).save_pretrained(folder)


def without_padding(folder: Path) -> None:
    change(folder / "config.json", pad_token_id=None)
    change(folder / "tokenizer_config.json", pad_token=None)


def larger_tokenizer(folder: Path) -> None:
    build(vocab_size=10).save_pretrained(folder)


def headless(folder: Path) -> None:
    model = build()
    state = {name: weight for name, weight in model.state_dict().items() if name != "score.weight"}
    model.save_pretrained(folder, state_dict=state)


def change(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without_weights, "has no weights; save it"),
        (pickled, r"only pickled weights \(pytorch_model.bin\).*safetensors"),
        (remote_code, "auto_map. in config.json.*never run"),
        (remote_tokenizer, "auto_map. in tokenizer_config.json"),
        (without_tokenizer, "has no tokenizer; save it there"),
        (broken_config, "config.json cannot be read"),
        (cut_weights, "cannot be loaded"),
        (broken_template, "egrm.json cannot be used: .*exactly once"),
        (two_labels, "has 2 labels, but a scorer has 1; train"),
        (without_padding, "has no padding token; set pad_token_id"),
        (larger_tokenizer, "has 20 tokens and the model 10"),
        (headless, r"lacks weights \(score.weight\)"),
    ],
)
async def test_an_unusable_scorer_is_refused_with_the_folder_and_the_fix(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(save(tmp_path / "scorer"))
    with pytest.raises(ModelError, match=message) as caught:
        ClassifierScorer.load(tmp_path / "scorer", device="cpu")
    assert str(tmp_path / "scorer") in str(caught.value)


def test_a_pickle_next_to_the_weights_is_never_loaded(tmp_path: Path) -> None:
    save(tmp_path / "scorer")
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "model.pkl"):
        (tmp_path / "scorer" / name).write_bytes(pickle.dumps(Trap(tmp_path / f"sprung-by-{name}")))
    ClassifierScorer.load(tmp_path / "scorer", device="cpu")
    (tmp_path / "scorer" / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="only pickled weights"):
        ClassifierScorer.load(tmp_path / "scorer", device="cpu")
    assert list(tmp_path.glob("sprung*")) == []


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def test_the_trap_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("device", "stored", "dtype"),
    [
        ("cpu", "bfloat16", torch.float32),
        ("mps", "bfloat16", torch.float16),
        ("mps", "float16", torch.float32),
        ("cuda", "float32", torch.float32),
        ("cuda", None, torch.float32),
    ],
)
def test_only_bfloat16_weights_on_a_gpu_run_in_16_bits(device: str, stored: str | None, dtype: torch.dtype) -> None:
    assert dtype_on(device, stored) == dtype


def test_a_missing_device_is_refused_with_the_fix(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot be put on 'xpu:7'.*device='cpu'"):
        ClassifierScorer.load(folder, device="xpu:7")


async def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere does not exist; `egrm train scorer`"):
        ClassifierScorer.load(tmp_path / "nowhere")
