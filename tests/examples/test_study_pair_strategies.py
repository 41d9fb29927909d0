"""The study of strategies on pairs counts what was read, and takes no failure for a judgment."""

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
