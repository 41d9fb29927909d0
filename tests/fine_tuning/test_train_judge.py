"""Training a judge, end to end: on a model of a few thousand weights, and on the bundled one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.errors import InputError, ModelError, SettingsError
from egrm_graph.fine_tuning.train_judge import train_judge
from egrm_graph.graph import build_graph
from egrm_graph.settings import Settings
from tests.fine_tuning.small import BUNDLED, judgments, pair, save_judge, save_rows, settings
from tests.training.tiny import Messages

pytestmark = [pytest.mark.training, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_rows(tmp_path_factory.mktemp("data") / "rows.jsonl", judgments())


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_rows(tmp_path_factory.mktemp("data") / "pairs.jsonl", [pair(seed) for seed in range(6)])


@pytest.fixture(scope="module")
def held_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lines = [pair(100 + seed, domain="correctness") for seed in range(4)]
    return save_rows(tmp_path_factory.mktemp("data") / "held_out.jsonl", lines)


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


async def test_a_supervised_judge_learns_its_rows_and_can_be_loaded(
    rows: Path, held_out: Path, small_judge: Path, tmp_path: Path
) -> None:
    config = settings(rows, small_judge, tmp_path / "judge", steps=60, pairs=held_out, evaluations=3)
    folder = train_judge(config)
    written = report(folder)
    before, after = written["held_out"]["before"], written["held_out"]["after"]
    assert after["loss"] < 0.7 * next(entry["loss"] for entry in written["curve"] if "loss" in entry)
    assert after["tokens"] < before["tokens"]  # it learned to stop
    for name in ("eval_accuracy", "eval_loss"):
        assert [entry["step"] for entry in written["curve"] if name in entry] == [0, 20, 40, 60]
    assert after["loss"] < before["loss"]
    assert written["data"]["held_out_pairs"] == 4
    assert "fit" not in after  # the bundled judge's format has no structures
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.generation_config.eos_token_id == 2
    assert not (folder / "checkpoints").exists()


async def test_the_manifest_has_the_origin_of_the_judge(rows: Path, small_judge: Path, tmp_path: Path) -> None:
    manifest = json.loads((train_judge(settings(rows, small_judge, tmp_path / "judge")) / "egrm.json").read_text())
    assert (manifest["base"], manifest["method"], manifest["judged_as"]) == (
        "small-judge",
        "supervised",
        "egrm-tiny-judge",
    )
    assert len(manifest["data_sha256"]["data"]) == len(manifest["base_sha256"]["model.safetensors"]) == 64
    assert manifest["data"]["train_rows"] + manifest["data"]["held_out_rows"] == 40


async def test_a_reinforced_judge_prefers_rewarded_verdicts(tmp_path: Path) -> None:
    """All labels are A: the easiest thing to learn is to give that verdict wherever A stands."""
    lines = [pair(seed) for seed in range(12)]
    data = save_rows(tmp_path / "pairs.jsonl", lines)
    changes: dict[str, Any] = {"batch_size": 16, "rows_at_once": 16, "steps": 3, "learning_rate": 1e-5}
    folder = train_judge(settings(data, BUNDLED, tmp_path / "judge", reinforce=True, **changes, judged_as=None))
    logged = [entry for entry in report(folder)["curve"] if "reward" in entry]
    assert [entry["step"] for entry in logged] == [1, 2, 3]
    for entry in logged:
        assert entry["reward"] == pytest.approx(2 * entry["right"] - 1)
        assert {"without_spread", "unreadable", "kl", "completions/mean_length"} <= set(entry)
    base, trained = (load_file(each / "model.safetensors") for each in (BUNDLED, folder))
    spread = any(entry["without_spread"] < 1 for entry in logged[1:])  # the first step has a learning rate of 0
    assert spread != all(torch.equal(base[name], trained[name]) for name in base)


async def test_the_trained_judge_judges_in_the_graph(rows: Path, tmp_path: Path) -> None:
    folder = train_judge(settings(rows, BUNDLED, tmp_path / "judge", steps=1, judged_as=None))
    client = EmbeddedClient.load(folder, name="egrm-tiny-judge")
    graph = build_graph(Settings(task="pairwise", scorer=None), client=client)
    found = await graph.ainvoke({"question": "17+48", "candidates": ["65", "66"]})
    await client.aclose()
    assert found["verification"]["answer"] in ("A", "B", "tie")


async def test_lora_is_merged(rows: Path, small_judge: Path, tmp_path: Path) -> None:
    folder = train_judge(settings(rows, small_judge, tmp_path / "judge", lora_rank=2))
    base, trained = (load_file(each / "model.safetensors") for each in (small_judge, folder))
    assert base.keys() == trained.keys()
    changed = {name for name in base if not torch.equal(base[name], trained[name])}
    assert changed
    assert all("proj" in name for name in changed)


async def test_lora_learns_from_rewards_without_a_second_model(pairs: Path, small_judge: Path, tmp_path: Path) -> None:
    folder = train_judge(settings(pairs, small_judge, tmp_path / "judge", reinforce=True, lora_rank=2, steps=2))
    assert all("kl" in entry for entry in report(folder)["curve"] if "reward" in entry)


async def test_a_model_without_a_chat_template_continues_texts(pairs: Path, small_judge: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(small_judge, bare)
    (bare / "chat_template.jinja").unlink()
    rows = save_rows(tmp_path / "rows.jsonl", judgments(10))
    judge = train_judge(settings(rows, bare, tmp_path / "judge", steps=1))
    folder = train_judge(settings(pairs, judge, tmp_path / "again", reinforce=True, steps=1))
    assert json.loads((folder / "egrm.json").read_text())["base"] == "judge"


async def test_the_next_training_knows_the_format_of_the_judge(rows: Path, small_judge: Path, tmp_path: Path) -> None:
    first = train_judge(settings(rows, small_judge, tmp_path / "first", steps=1))
    second = train_judge(settings(rows, first, tmp_path / "second", steps=1, judged_as=None))
    assert json.loads((second / "egrm.json").read_text())["judged_as"] == "egrm-tiny-judge"


async def test_rows_that_are_too_long_are_reported(rows: Path, small_judge: Path, tmp_path: Path) -> None:
    lines = [*judgments(10), {"prompt": "1" * 300, "completion": "2"}]
    messages = Messages()
    data = save_rows(tmp_path / "rows.jsonl", lines)
    train_judge(settings(data, small_judge, tmp_path / "judge", steps=1, held_out_share=0), observer=messages)
    assert "1 rows have more than 256 tokens, and are left out" in messages.messages


async def test_without_rows_or_pairs_there_is_nothing_to_learn(small_judge: Path, tmp_path: Path) -> None:
    rows = save_rows(tmp_path / "rows.jsonl", [{"prompt": "1" * 300, "completion": "2"}])
    with pytest.raises(
        InputError, match=r"none of the 1 rows in .* 1 rows have more than 256 tokens; add rows, or raise"
    ):
        train_judge(settings(rows, small_judge, tmp_path / "judge"))
    same = save_rows(tmp_path / "pairs.jsonl", [pair(0, candidates=("2", "2"))])
    with pytest.raises(InputError, match=r"none of the 1 pairs in .* can be judged: 0 prompts leave no space"):
        train_judge(settings(same, small_judge, tmp_path / "judge", reinforce=True))
    long = save_rows(tmp_path / "long.jsonl", [pair(0)])
    with pytest.raises(InputError, match="2 prompts leave no space for 250 tokens"):
        train_judge(settings(long, small_judge, tmp_path / "judge", reinforce=True, rollout_tokens=250))
    assert not (tmp_path / "judge").exists()


async def test_pairs_cannot_be_trained_on_and_held_out(pairs: Path, small_judge: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"6 pairs are in both files, such as one of '.*'; hold out other pairs"):
        train_judge(settings(pairs, small_judge, tmp_path / "judge", reinforce=True, pairs=pairs))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "arithmetic"}, "the task 'arithmetic' does not judge candidates; set task"),
        ({"strategy": "entropy_tree"}, "entropy_tree"),
        ({"strategy": "deep"}, "deep"),
        ({"prompts": "nowhere"}, "neither a folder nor a known set"),
    ],
)
async def test_other_tasks_and_strategies_are_named(
    pairs: Path, small_judge: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        train_judge(settings(pairs, small_judge, tmp_path / "judge", reinforce=True, **changes))
    assert not (tmp_path / "judge").exists()


async def test_a_pair_that_the_format_cannot_show_is_named(small_judge: Path, tmp_path: Path) -> None:
    pairs = save_rows(tmp_path / "pairs.jsonl", [pair(0), pair(1, question="What is love?", id="love")])
    with pytest.raises(InputError, match="pair love cannot be judged"):
        train_judge(settings(pairs, small_judge, tmp_path / "judge", reinforce=True))


async def test_a_base_that_cannot_be_used_is_named(rows: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="the folder does not exist"):
        train_judge(settings(rows, tmp_path / "nowhere", tmp_path / "judge"))
    scorer = BUNDLED.with_name("egrm-tiny-scorer")
    with pytest.raises(ModelError, match=r"lacks weights of some layers \(lm_head"):
        train_judge(settings(rows, scorer, tmp_path / "judge"))


async def test_only_pickled_weights_are_refused(rows: Path, small_judge: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(small_judge, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(ModelError, match="only pickled weights"):
        train_judge(settings(rows, pickled, tmp_path / "judge"))


async def test_dropout_does_not_touch_the_rollouts(pairs: Path, tmp_path: Path) -> None:
    """With dropout, the model that is updated would not be the one that wrote the rollouts."""
    base = save_judge(tmp_path / "wavering", attention_dropout=0.5)
    folder = train_judge(settings(pairs, base, tmp_path / "judge", reinforce=True, steps=1))
    [entry] = [entry for entry in report(folder)["curve"] if "reward" in entry]
    assert entry["kl"] == pytest.approx(0, abs=1e-6)
