"""The study of strategies on pairs counts what was read, and takes no failure for a judgment."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pair_strategies as study
import pytest

from egrm_graph import Settings, Verification, build_graph
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.judgments.judgment import MIXED, Judgment, Unit
from egrm_graph.judgments.judgment_grammar import write_judgment
from egrm_graph.settings import RunSettings
from egrm_graph.terminal.tables import standard_output
from tests.judges import read_prompt

PAIR = BenchQuestion("7", "What is 17+48?", "B", 0, ("It is 66.", "It is 65."))


def judge(prompt: Any, _: int, request_id: str) -> Item:
    """Prefers the candidate with 65 in three units, one of which has no sub-verdict."""
    if ".expand_cot." not in request_id:
        return "A"
    seen = read_prompt(prompt)
    label = next(label for label, text in zip(seen.labels, seen.texts, strict=True) if "65" in text)
    units = tuple(Unit(f"P{k}", "Be right.", "It is.", each) for k, each in enumerate((label, MIXED)))
    written = write_judgment(Judgment(None, units, (), label), seen.code, (*seen.labels, "C"))
    return written.replace(f"\n{seen.code} Sub-Verdict: MIXED", "")


async def verification(client: ScriptedClient, **settings: Any) -> Verification:
    chosen = Settings(task="pairwise", model="mine", label_probabilities="never", paths=2, path_stopping="all")
    graph = build_graph(chosen, client=client, scorer=None)
    verification: Verification = (await graph.ainvoke(PAIR.input, context=RunSettings(**settings)))["verification"]
    return verification


async def test_what_was_read_of_the_paths_is_counted() -> None:
    found = study.result(PAIR, "breadth", await verification(ScriptedClient(judge), threshold=1.1, strategy="breadth"))
    assert {key: found[key] for key in ("id", "judged_by", "right", "rewardbench")} == {
        "id": "7",
        "judged_by": "breadth",
        "right": 1.0,
        "rewardbench": 1.0,
    }
    measured = ("path_right", "unreadable", "units", "lost", "breadth", "depth")
    assert [found[key] for key in measured] == [1.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    assert len(found["texts"]) == 2


async def test_a_call_that_fails_does_not_count_as_a_judgment() -> None:
    assert study.lost(await verification(ScriptedClient(judge), threshold=1.1)) is None
    broken = ScriptedClient(lambda prompt, seed, request_id: Fail("gone") if "expand" in request_id else "A")
    cause = study.lost(await verification(broken, threshold=1.1))
    assert cause is not None
    assert "gone" in cause


def test_points_are_over_the_first_strategy_and_paired(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = [BenchQuestion(str(i), "?", "A", 0, ("a", "b")) for i in range(4)]
    rows = [
        {"id": pair.id, "judged_by": name, "right": right, "rewardbench": right, "tokens": 10}
        for name, right in (("fast", 1.0), ("plain", 0.0), ("breadth", 1.0))
        for pair in pairs
    ]
    made = study.table(rows, ["fast", "plain", "breadth"], pairs)
    standard_output().print(made)
    printed = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert "+100.0" in printed["fast"]
    assert "+" not in printed["plain"]
    assert "+100.0" in printed["breadth"]
    assert np.array_equal(study.column({"0": rows[0]}, "units", pairs[:1]), [0.0])


def so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *judged: tuple[str, str]) -> None:
    """Run the study on pairs 0 and 1 with a result for each (pair, judged by)."""
    pairs, results = tmp_path / "pairs.jsonl", tmp_path / "results.jsonl"
    row = {"question": "?", "candidates": ["a", "b"], "reference": "A"}
    pairs.write_text("".join(json.dumps({"id": str(i), **row}) + "\n" for i in range(2)))
    figures = {"right": 1.0, "rewardbench": 1.0, "tokens": 10}
    results.write_text("".join(json.dumps({"id": i, "judged_by": name, **figures}) + "\n" for i, name in judged))
    line = ["pair_strategies.py", str(pairs), "--results", str(results), "--so-far", "--strategies", "depth"]
    monkeypatch.setattr("sys.argv", line)
    study.main()


def test_so_far_has_the_finished_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    so_far(tmp_path, monkeypatch, ("0", "fast"), ("0", "depth"), ("1", "fast"))
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "1 of 2 pairs are finished"
    assert [line.split()[0] for line in printed[2:]] == ["fast", "depth"]


def test_so_far_without_a_finished_pair_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"no pair of .*pairs\.jsonl has results for fast, depth in .*results\.jsonl"):
        so_far(tmp_path, monkeypatch, ("0", "fast"), ("1", "depth"))


def test_without_a_server_there_is_nothing_to_judge_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"id": "0", "question": "?", "candidates": ["a", "b"], "reference": "A"}\n')
    files = [str(tmp_path / "pairs.jsonl"), "--results", str(tmp_path / "results.jsonl")]
    monkeypatch.setattr("sys.argv", ["pair_strategies.py", *files])
    with pytest.raises(SystemExit):
        study.main()
