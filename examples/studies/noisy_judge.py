"""How often the gate lets a wrong verdict on two candidates through: `python examples/studies/noisy_judge.py`.

A scripted judge, right with probability p and biased to the first place with probability b, judges pairs. Both orders,
by samples and by label probabilities, go through the real graph; the published gate, four of five votes in one order,
is the baseline, and draws its votes from the same judge without the graph. `varying` judges are surer of some
questions than of others: their probability of being right is Beta-distributed around p. Beside every measured share
stands the exact one (`gate_errors`).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from gate_errors import GATES, THRESHOLD, Gate, Rates, fixed, varying, vote_is_wrong
from rich.console import Console
from rich.progress import track

from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.graph import build_graph
from egrm_graph.intervals import Estimate, share
from egrm_graph.settings import Settings
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import MEASURES
from egrm_graph.uncertainty.votes import tally
from egrm_graph.verification import Message

CONCENTRATION = 4.0
"""Of the varying judges: around p = 0.5, a standard deviation of 0.22."""
_NUMBER = re.compile(r"pair (\d+)")
_RIGHT, _WRONG = "this one is right", "this one is wrong"

Kind = Literal["fixed", "varying"]
Outcome = tuple[bool, bool]
"""Of one question: whether it took the direct route with the wrong winner, and whether it took it at all."""


@dataclass(frozen=True)
class Judge:
    """How often it is right on each pair, and how often it just says the first."""

    right: Sequence[float]
    bias: float

    def says_first(self, i: int, *, right_is_first: bool) -> float:
        wrong = float(vote_is_wrong(np.array(self.right[i]), self.bias, right_is_first=right_is_first))
        return 1 - wrong if right_is_first else wrong


@dataclass(frozen=True)
class Row:
    """One judge and one gate, measured and exact."""

    kind: Kind
    p: float
    bias: float
    gate: Gate
    wrong: Estimate
    direct: Estimate
    exact: Rates
    baseline: Rates
    """The exact rates of the published gate on the same judge."""


def judge_of(kind: Kind, p: float, bias: float, pairs: int) -> Judge:
    draw = random.Random(f"{kind} {p} {bias}")
    if kind == "fixed":
        return Judge([p] * pairs, bias)
    return Judge([draw.betavariate(p * CONCENTRATION, (1 - p) * CONCENTRATION) for _ in range(pairs)], bias)


def in_one_order(judge: Judge, pairs: int) -> list[Outcome]:
    """The published gate, without the graph: five votes with the candidates in one order, four of them alike."""
    outcomes = []
    consensus = MEASURES["consensus"]
    for i in range(pairs):
        draw = random.Random(f"{i} {judge.bias} {judge.right[i]}")
        right_is_first = i % 2 == 0
        first = judge.says_first(i, right_is_first=right_is_first)
        votes = tally(["right" if (draw.random() < first) == right_is_first else "wrong" for _ in range(5)], str.__eq__)
        certain = consensus.certain(consensus.value(Evidence(votes)), THRESHOLD)
        outcomes.append((certain and votes.top == "wrong", certain))
    return outcomes


async def in_both_orders(judge: Judge, pairs: int, *, probabilities: bool) -> list[Outcome]:
    """The graph's own gate."""
    client = scripted(judge, probabilities=probabilities)
    graph = build_graph(Settings(task="pairwise", threshold=THRESHOLD, paths=1), client=client, scorer=None)
    outcomes = []
    for i in range(pairs):
        right = i % 2
        candidates = [_RIGHT, _WRONG] if right == 0 else [_WRONG, _RIGHT]
        told = (await graph.ainvoke({"question": f"pair {i}", "candidates": candidates}))["verification"]
        direct = told["route"] == "direct"
        outcomes.append((direct and told["winner"] != right, direct))
        client.calls.clear()
    return outcomes


def scripted(judge: Judge, *, probabilities: bool) -> ScriptedClient:
    """A client whose fast verdicts are the judge's; it has no paths to give."""

    def first(prompt: Sequence[Message]) -> float:
        text = prompt[-1]["content"]
        found = _NUMBER.search(text)
        assert found is not None  # every question has its number
        return judge.says_first(int(found[1]), right_is_first=text.index(_RIGHT) < text.index(_WRONG))

    def answer(prompt: Sequence[Message], seed: int, request_id: str) -> str:
        if ".answer_fast." not in request_id:
            return ""
        return "A" if random.Random(seed).random() < first(prompt) else "B"

    def labels(prompt: Sequence[Message]) -> Mapping[str, float]:
        p = first(prompt)
        return {"A": _log(p), "B": _log(1 - p), "C": -math.inf}

    return ScriptedClient(answer, labels=labels if probabilities else None)


def _log(p: float) -> float:
    return math.log(p) if p > 0 else -math.inf


def measured(gate: Gate, judge: Judge, pairs: int) -> list[Outcome]:
    if gate == "one order":
        return in_one_order(judge, pairs)
    return asyncio.run(in_both_orders(judge, pairs, probabilities=gate == "probabilities"))


def row(kind: Kind, p: float, bias: float, gate: Gate, pairs: int) -> Row:
    """One judge behind one gate."""
    outcomes = np.array(measured(gate, judge_of(kind, p, bias, pairs), pairs))

    def exact(of: Gate) -> Rates:
        return fixed(of, p, bias) if kind == "fixed" else varying(of, p, bias, CONCENTRATION)

    return Row(kind, p, bias, gate, share(outcomes[:, 0]), share(outcomes[:, 1]), exact(gate), exact("one order"))


def cases(kinds: Sequence[Kind]) -> Iterator[tuple[Kind, float, float, Gate]]:
    """Every judge behind every gate."""
    yield from itertools.product(kinds, (0.5, 0.6, 0.8), (0.0, 0.3), GATES)


def table(kind: Kind, rows: Sequence[Row], pairs: int) -> Table:
    headings = ("p", "b", "gate", "wrong and direct", "exact", "of one order's", "direct", "exact")
    columns = (Column(heading, right=heading != "gate") for heading in headings)
    shown = Table(*columns, title=f"{kind} judges, {pairs:,} pairs")
    for each in rows:
        shown.add_row(
            f"{each.p:g}",
            f"{each.bias:g}",
            each.gate,
            each.wrong.percent(),
            f"{100 * each.exact.wrong:.2f} %",
            f"{each.exact.wrong / each.baseline.wrong:.2f}",
            each.direct.percent(),
            f"{100 * each.exact.direct:.1f} %",
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--pairs", type=int, default=1000, help="judged by each judge behind each gate (default 1000)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON lines")
    given = parser.parse_args()
    err = Console(stderr=True)
    kinds: tuple[Kind, ...] = ("fixed", "varying")
    every = list(cases(kinds))
    rows = [row(*case, given.pairs) for case in track(every, "judging", console=err, transient=True)]
    for kind in kinds:
        found = [each for each in rows if each.kind == kind]
        if given.json:
            print(*(json.dumps(asdict(each)) for each in found), sep="\n")
        else:
            standard_output().print(table(kind, found, given.pairs))


if __name__ == "__main__":
    main()
