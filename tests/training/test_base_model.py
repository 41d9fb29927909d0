"""Bases of a scorer: decoders and encoders of all kinds, and models that cannot be one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DebertaV2Config,
    DebertaV2Model,
    DistilBertConfig,
    DistilBertModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    RobertaConfig,
    RobertaForMaskedLM,
)

from egrm_graph.errors import ModelError
from egrm_graph.scoring.classifier import ClassifierScorer
from egrm_graph.scoring.scorer_loading import context_tokens
from egrm_graph.training.base_model import load_base
from egrm_graph.training.lora import adapted, merged
from egrm_graph.training.output import last_checkpoint
from egrm_graph.training.temperature import fold
from egrm_graph.training.train_scorer import train_scorer
from egrm_graph.training.trainer import in_full_precision
from tests.training.tiny import (
    SIZES,
    Interrupting,
    Messages,
    contents,
    save_base,
    save_rollouts,
    save_tokenizer,
    settings,
)

pytestmark = pytest.mark.training

SPECIAL: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
SHORT: dict[str, Any] = {
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "vocab_size": SIZES["vocab_size"],
}
BASES: dict[str, Any] = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SIZES, num_key_value_heads=1, head_dim=8)),
    "bert": lambda: BertForMaskedLM(BertConfig(**SIZES)),
    "distilbert": lambda: DistilBertModel(DistilBertConfig(**SHORT, dim=16, n_layers=1, n_heads=2, hidden_dim=32)),
    "roberta": lambda: RobertaForMaskedLM(RobertaConfig(**{**SIZES, "max_position_embeddings": 33})),
    "modernbert": lambda: ModernBertForMaskedLM(ModernBertConfig(**SIZES, **SPECIAL)),
    "deberta": lambda: DebertaV2Model(DebertaV2Config(**SIZES, relative_attention=True, pos_att_type=["p2c", "c2p"])),
}


def saved(model: PreTrainedModel, folder: Path) -> Path:
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


@pytest.fixture(params=BASES)
def any_base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return saved(BASES[request.param](), tmp_path / request.param)


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    return save_rollouts(tmp_path / "noisy.jsonl", questions=60, noise=0.2)


async def test_a_scorer_can_be_trained_from_any_base_and_calibrated(
    noisy: Path, any_base: Path, tmp_path: Path
) -> None:
    folder = train_scorer(settings(noisy, any_base, tmp_path / "scorer", epochs=20, evaluations=1))
    scorer = ClassifierScorer.load(folder, device="cpu")
    right, wrong = await scorer.score("99+1", ["#7", "#2"])
    await scorer.aclose()
    assert isinstance(right, float)
    assert isinstance(wrong, float)
    assert right > wrong
    assert json.loads((folder / "egrm.json").read_text())["calibration"]["temperature"] > 0
    assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {torch.float32}


async def test_lora_learns_a_correction_of_each_linear_layer_and_a_head(
    rollouts: Path, any_base: Path, tmp_path: Path
) -> None:
    folder = train_scorer(settings(rollouts, any_base, tmp_path / "scorer", epochs=8, lora_rank=4, evaluations=1))
    before, after = load_file(any_base / "model.safetensors"), load_file(folder / "model.safetensors")
    layers = [name for name in after if "layer" in name and "norm" not in name.lower() and name.endswith("weight")]
    embeddings = [name for name in after if "word_embeddings" in name or "embed_tokens" in name or "tok_emb" in name]
    assert layers
    assert not [name for name in layers if torch.equal(old(before, name), after[name])]
    assert embeddings
    assert not [name for name in embeddings if not torch.equal(old(before, name), after[name])]
    assert not [name for name in after if "lora" in name or "base_layer" in name or "modules_to_save" in name]
    assert not list(folder.glob("adapter*"))


def old(weights: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    """A base without a head does not have the prefix that its body gets next to one."""
    return weights[name] if name in weights else weights[name.partition(".")[2]]


async def test_an_interrupted_lora_training_gives_the_same_bytes(noisy: Path, base: Path, tmp_path: Path) -> None:
    changes = {"epochs": 6, "evaluations": 6, "lora_rank": 2}
    full = train_scorer(settings(noisy, base, tmp_path / "full", **changes))
    cut = settings(noisy, base, tmp_path / "cut", **changes)
    with pytest.raises(KeyboardInterrupt):
        train_scorer(cut, observer=Interrupting(at_step=20))
    assert last_checkpoint(tmp_path / "cut" / "checkpoints") is not None
    train_scorer(cut, resume=True)
    assert contents(tmp_path / "cut") == contents(full)


async def test_lora_of_a_base_in_half_precision_learns_in_single_and_is_merged_in_half(tmp_path: Path) -> None:
    folder = save_base(tmp_path / "half")
    LlamaForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).save_pretrained(folder)
    base = load_base(str(folder), half=True)
    model = adapted(base, rank=2, alpha=4)
    assert {weights.dtype for weights in model.parameters() if weights.requires_grad} == {torch.float32}
    assert {weights.dtype for weights in model.parameters() if not weights.requires_grad} == {torch.bfloat16}
    plain = merged(model)
    assert {weights.dtype for weights in plain.parameters()} == {torch.bfloat16}
    fold(plain, 1.7, {"input_ids": torch.tensor([[1, 5, 6]]), "attention_mask": torch.ones(1, 3).long()})


async def test_the_wrapper_for_reduced_precision_is_removed(base: Path) -> None:
    model: Any = load_base(str(base)).model.train(False)
    batch = {"input_ids": torch.tensor([[1, 5, 6]])}
    exact = model(**batch).logits
    model._original_forward = model.forward  # as accelerate does
    model.forward = torch.autocast("cpu", dtype=torch.bfloat16)(model.forward)
    assert not torch.equal(model(**batch).logits, exact)
    assert torch.equal(in_full_precision(model)(**batch).logits, exact)


async def test_gradient_checkpointing_changes_no_weight(rollouts: Path, base: Path, tmp_path: Path) -> None:
    stored, computed_twice = (
        load_file(
            train_scorer(settings(rollouts, base, tmp_path / str(twice), gradient_checkpointing=twice))
            / "model.safetensors"
        )
        for twice in (False, True)
    )
    assert all(torch.equal(stored[name], computed_twice[name]) for name in stored)


async def test_bfloat16_changes_the_arithmetic_and_not_how_weights_are_stored(
    rollouts: Path, base: Path, tmp_path: Path
) -> None:
    exact, rounded = (
        load_file(
            train_scorer(settings(rollouts, base, tmp_path / precision, precision=precision)) / "model.safetensors"
        )
        for precision in ("float32", "bfloat16")
    )
    assert {weights.dtype for weights in rounded.values()} == {torch.float32}
    assert any(not torch.equal(exact[name], rounded[name]) for name in exact)


def classifier(folder: Path, labels: int) -> Path:
    torch.manual_seed(0)
    return saved(LlamaForSequenceClassification(LlamaConfig(**{**SIZES, "num_labels": labels})), folder)


async def test_a_head_with_two_outputs_is_replaced_with_a_message(rollouts: Path, tmp_path: Path) -> None:
    messages = Messages()
    base = classifier(tmp_path / "two", 2)
    folder = train_scorer(settings(rollouts, base, tmp_path / "scorer", calibration="none"), observer=messages)
    assert messages.messages[0] == (f"the head of {base} has more than one output, and is replaced by a new one")
    assert load_file(folder / "model.safetensors")["score.weight"].shape == (1, 16)


async def test_a_head_with_one_output_is_kept(tmp_path: Path) -> None:
    folder = classifier(tmp_path / "one", 1)
    found = load_base(str(folder))
    assert (found.new, found.replaced) == ((), False)
    assert torch.equal(
        found.model.get_parameter("score.weight"), load_file(folder / "model.safetensors")["score.weight"]
    )


async def test_only_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = save_base(tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"only pickled weights \(pytorch_model\.bin\), which can run code"):
        load_base(str(folder))


async def test_code_of_the_base_is_not_run(tmp_path: Path) -> None:
    folder = save_base(tmp_path / "own")
    config = json.loads((folder / "config.json").read_text())
    auto_map = {"AutoConfig": "own.Config", "AutoModelForSequenceClassification": "own.Model"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": auto_map}))
    (folder / "own.py").write_text("raise SystemExit('run')")
    with pytest.raises(ModelError, match="a scorer cannot start from the model"):
        load_base(str(folder))


async def test_a_base_without_some_layers_is_an_error(tmp_path: Path) -> None:
    folder = save_base(tmp_path / "cut")
    rest = {name: part for name, part in load_file(folder / "model.safetensors").items() if "mlp" not in name}
    save_file(rest, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks weights of some layers.*model\.layers\.0\.mlp\.down_proj"):
        load_base(str(folder))


async def test_tokenizer_that_is_larger_than_the_model_is_refused(tmp_path: Path) -> None:
    folder = save_base(tmp_path / "small", vocab_size=10)
    with pytest.raises(ModelError, match="has 20 tokens, but the model 10"):
        load_base(str(folder))


async def test_positions_that_roberta_never_uses_are_not_counted(tmp_path: Path) -> None:
    config = RobertaConfig(**{**SIZES, "pad_token_id": 1, "max_position_embeddings": 34})
    found = load_base(str(saved(RobertaForMaskedLM(config), tmp_path / "roberta")))
    assert context_tokens(found.model, found.tokenizer) == 32


@pytest.mark.parametrize("name", ["/nowhere/base", "./base", "a/b/c"])
async def test_missing_folder_is_named(name: str) -> None:
    with pytest.raises(ModelError, match=f"no model in {name}: the folder does not exist"):
        load_base(name)


def cached(home: Path, name: str) -> None:
    """A model in the cache of the client of the hub."""
    cache = home / "hub" / f"models--{name.replace('/', '--')}"
    save_base(cache / "snapshots" / "0123456789abcdef0123456789abcdef01234567")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("0123456789abcdef0123456789abcdef01234567")


HUB = """
from egrm_graph.scoring.scorer_loading import context_tokens
from egrm_graph.training.base_model import load_base

print(load_base("acme/tiny").new)
try:
    load_base("acme/none")
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_a_name_that_is_not_a_folder_is_a_model_on_the_hub(tmp_path: Path) -> None:
    cached(tmp_path / "home", "acme/tiny")
    offline = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", HUB], capture_output=True, text=True, env=os.environ | offline, check=True
    )
    found, missing = run.stdout.splitlines()[:2]
    assert found == "('score',)"
    assert missing.startswith(
        "ModelError 'acme/none' is not a folder, and its tokenizer could not be fetched from the hub"
    )
