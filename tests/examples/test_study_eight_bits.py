"""Models rounded to eight bits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from eight_bits import round_folder, rounded
from safetensors.torch import load_file, save_file


def test_a_weight_is_off_by_half_a_level_at_most() -> None:
    weight = torch.randn(7, 33, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [[10.0**n] for n in range(7)]
    )
    levels, scale = rounded(weight)
    assert levels.dtype == torch.int8
    assert scale.shape == (7, 1)
    assert bool(((levels * scale - weight).abs() <= scale / 2 * 1.0001).all())
    assert levels.abs().amax(dim=1).tolist() == [127] * 7, "the largest weight of a channel has the last level"


def test_a_channel_of_zeros_stays_zero() -> None:
    levels, scale = rounded(torch.zeros(2, 3))
    assert not levels.any()
    assert bool((scale > 0).all())


def test_a_folder_has_the_rounded_layers_and_all_the_rest(tmp_path: Path) -> None:
    source, output = tmp_path / "model", tmp_path / "rounded"
    source.mkdir()
    weight, norm = torch.randn(4, 8, dtype=torch.bfloat16), torch.randn(8, dtype=torch.bfloat16)
    tensors = {"model.layers.0.mlp.up_proj.weight": weight, "model.norm.weight": norm, "lm_head.weight": weight.clone()}
    save_file(tensors, source / "model.safetensors")
    (source / "config.json").write_text('{"model_type": "qwen2"}', "utf-8")
    (source / "tokenizer.json").write_text("{}", "utf-8")
    assert round_folder(source, output) == 1
    found = load_file(output / "model.safetensors")
    assert found.keys() == {*tensors, "model.layers.0.mlp.up_proj.weight_scale"}
    assert found["model.layers.0.mlp.up_proj.weight"].dtype == torch.int8
    assert torch.equal(found["model.norm.weight"], norm)
    assert torch.equal(found["lm_head.weight"], weight)
    assert (output / "tokenizer.json").exists()
    config = json.loads((output / "config.json").read_text("utf-8"))
    assert config["model_type"] == "qwen2"
    assert config["quantization_config"]["quant_method"] == "compressed-tensors"


def test_what_cannot_be_rounded_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="does not exist; name a folder with a model in one file"):
        round_folder(tmp_path, tmp_path / "rounded")
    save_file({"encoder.weight": torch.ones(2, 2)}, tmp_path / "model.safetensors")
    with pytest.raises(SystemExit, match=r"no weight whose name ends in _proj\.weight"):
        round_folder(tmp_path, tmp_path / "rounded")
    assert not (tmp_path / "rounded").exists()
