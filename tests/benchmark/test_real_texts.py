"""Real pairs and real trajectories through the full pipeline, if their files are available."""

import gzip
import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from egrm_graph import Settings, Verification, build_graph
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.benchmark.published_sets import read_questions
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import InputError
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_MODEL
from egrm_graph.verification import Message
from tests.benchmark.tau_bench import Step, tau_bench

pytestmark = pytest.mark.slow

DATA = Path(os.environ.get("EGRM_DATA", Path(__file__).parents[3] / "shared" / "data"))
LLMBAR = DATA / "llmbar" / "pairs.jsonl.gz"
TAU_BENCH = DATA / "tau-bench" / "gpt-4o-airline.json.gz"
needs_data = pytest.mark.skipif(not LLMBAR.exists(), reason="EGRM_DATA is not a folder with the published files")


def longest(prompt: Sequence[Message], seed: int, request_id: str) -> str:
    """A judge that reads the fences and chooses the longest candidate."""
    lines = prompt[-1]["content"].split("\n")
    heads = [(i, line) for i, line in enumerate(lines) if line.startswith("[candidate ")]
    ends = [i for i, line in enumerate(lines) if line.startswith("[end of candidate ")]
    sizes = {head.split()[1]: end - start for (start, head), end in zip(heads, ends, strict=True)}
    code = heads[0][1].split()[2].rstrip("]")
    label = max(sorted(sizes), key=lambda name: sizes[name])
    return label if "answer_fast" in request_id else f"It is the longest.\n{code}: {label}"


async def judged(items: Sequence[BenchQuestion | Step], task: Any, **settings: Any) -> list[Verification]:
    client = settings.pop("client", None)
    graph = build_graph(Settings(task=task, scorer=None, **settings), client=client)
    return [(await graph.ainvoke(item.input))["verification"] for item in items]


@needs_data
async def test_all_pairs_of_llmbar_are_judged() -> None:
    items = read_questions(LLMBAR)
    assert len(items) == 419
    assert {item.reference for item in items} == {"A", "B"}
    verifications = await judged(items, "pairwise", client=ScriptedClient(longest))
    assert Counter(one["status"] for one in verifications) == {"ok": 419}
    assert all(one["rewards"] is not None and None not in one["rewards"] for one in verifications)


@needs_data
async def test_all_trajectories_of_tau_bench_are_judged_or_abstain_with_a_reason() -> None:
    items = list(tau_bench(TAU_BENCH))
    assert len(items) == 200
    assert all(len(item.input.get("candidates", [])) == 4 for item in items)
    verifications = await judged(items, "tool_calls", client=ScriptedClient(longest))
    assert {one["status"] for one in verifications} == {"ok"}
    alike = [one for one in verifications if one["reasons"] == ["all candidates are equal; nothing had to be judged"]]
    assert all(one["usage"]["requests"] == 0 for one in alike)


@needs_data
@pytest.mark.slow
async def test_a_model_that_knows_nothing_about_them_abstains_with_a_reason(tmp_path: Path) -> None:
    """The bundled weights get another name, so the prompts are in English. One pair of twenty is enough."""
    folder = tmp_path / "knows-sums-only"
    shutil.copytree(bundled(BUNDLED_MODEL), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 16_384}))
    settings = {"model": str(folder), "paths": 2, "path_max_tokens": 4, "fast_max_tokens": 4}
    verifications = await judged(read_questions(LLMBAR)[::20], "pairwise", **settings)
    assert all(one["status"] in ("abstained", "degraded") for one in verifications)
    assert all(one["reasons"] for one in verifications)
    assert all(one["rewards"] == [None, None] for one in verifications if one["status"] == "abstained")


def test_the_candidates_are_the_last_call_of_a_trajectory_and_of_the_other_trials(tmp_path: Path) -> None:
    user: Any = {"role": "user", "content": "Book it."}
    call: Any = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {}}]}
    reply: Any = {"role": "assistant", "content": "No."}
    file = tmp_path / "trials.json.gz"
    trials = [{"task_id": 7, "trial": 0, "traj": [user, call, user]}, {"task_id": 7, "trial": 1, "traj": [user, reply]}]
    file.write_bytes(gzip.compress(json.dumps(trials).encode()))
    assert list(tau_bench(file)) == [
        Step("7/0", {"messages": [user], "candidates": [call, reply]}),
        Step("7/1", {"messages": [user], "candidates": [reply, call]}),
    ]


def test_a_file_that_is_not_a_list_of_trajectories_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "trials.json"
    file.write_text("{}")
    with pytest.raises(InputError, match="is not a list of trajectories"):
        list(tau_bench(file))
