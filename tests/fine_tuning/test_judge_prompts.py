"""The prompts that a judge is trained on are those of the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import ModelError, SettingsError
from egrm_graph.fine_tuning.fine_tuning_output import read_origin
from egrm_graph.fine_tuning.judge_prompts import judge_name, judge_prompts, judging_parts
from egrm_graph.fine_tuning.judged_pairs import JudgedPair
from egrm_graph.fine_tuning.language_model import load_language_model
from egrm_graph.graph import build_graph
from egrm_graph.parts import Parts
from egrm_graph.settings import Settings
from tests.fine_tuning.small import pair, settings

PAIR = pair(1)


def parts_of(base: Path, **changes: Any) -> Parts:
    config = settings(base / "rows", base, base / "out", reinforce=True, **changes)
    return judging_parts(config, load_language_model(str(base)))


def texts(prompts: Any) -> set[tuple[str, ...]]:
    return {tuple(f"{message['role']}: {message['content']}" for message in prompt) for prompt in prompts}


@pytest.mark.parametrize(
    ("judged_as", "strategy"),
    [("egrm-tiny-judge", "plain"), ("my-judge", "plain"), ("my-judge", "breadth"), ("my-judge", "mixed")],
)
async def test_they_are_the_prompts_that_the_graph_sends(small_judge: Path, judged_as: str, strategy: str) -> None:
    client = ScriptedClient(lambda prompt, seed, request_id: "A" if seed % 2 else "B", name=judged_as)
    graph = build_graph(Settings(task="pairwise", strategy=strategy, scorer=None, threshold=1.0), client=client)
    await graph.ainvoke({"question": PAIR.question, "candidates": list(PAIR.candidates)})
    sent = texts(call.prompt for call in client.calls if ".expand_cot." in call.request_id)
    found = judge_prompts(parts_of(small_judge, judged_as=judged_as, strategy=strategy), [PAIR])
    assert texts(prompt.messages for prompt in found) == sent
    assert len(found) == 2  # both orders


async def test_equal_candidates_need_no_judgment(small_judge: Path) -> None:
    same = JudgedPair(question="1+1", candidates=("2", "2"), reference="A")
    assert judge_prompts(parts_of(small_judge), [same]) == []


async def test_a_strategy_of_several_calls_is_refused(small_judge: Path) -> None:
    parts = parts_of(small_judge, judged_as="my-judge", strategy="depth")
    with pytest.raises(SettingsError, match=r"'depth' draws a path in more than one call.*such as 'plain' or 'mixed'"):
        judge_prompts(parts, [PAIR])


async def test_the_model_in_memory_keeps_its_generation_settings(small_judge: Path, tmp_path: Path) -> None:
    base = load_language_model(str(small_judge))
    judging_parts(settings(tmp_path, small_judge, tmp_path / "out"), base)
    assert base.model.generation_config.eos_token_id == 2


async def test_the_name_of_a_judge_is_that_of_its_folder_unless_it_was_trained_here(
    small_judge: Path, tmp_path: Path
) -> None:
    assert judge_name(settings(tmp_path, small_judge, tmp_path, judged_as=None)) == "small-judge"
    (tmp_path / "egrm.json").write_text('{"judged_as": "egrm-tiny-judge"}')
    assert judge_name(settings(tmp_path, tmp_path, tmp_path, judged_as=None)) == "egrm-tiny-judge"
    assert judge_name(settings(tmp_path, tmp_path, tmp_path, judged_as="other")) == "other"


async def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "egrm.json").write_text("[1]")
    with pytest.raises(ModelError, match=r"egrm\.json cannot be read: it is not an object; write it again, or remove"):
        read_origin(str(tmp_path))
