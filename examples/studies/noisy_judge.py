"""Measure how often the gate accepts a wrong verdict on two candidates: `python examples/studies/noisy_judge.py`.

A scripted judge, right with probability p and biased to the first place with probability b, judges pairs. Both orders,
with samples and with label probabilities, go through the real graph. The baseline is the published gate, four of five
votes in one order. It draws its votes from the same judge, without the graph. A `varying` judge is more certain on some
questions than on others: its probability of being right has a Beta distribution around p. Every measured share comes
with the exact one (`gate_errors`).
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
"""Concentration of the varying judges. Around p = 0.5, the standard deviation is 0.22."""
_NUMBER = re.compile(r"pair (\d+)")
_RIGHT, _WRONG = "this one is right", "this one is wrong"

Kind = Literal["fixed", "varying"]
Outcome = tuple[bool, bool]
"""Whether a question took the direct route with the wrong winner, and whether it took the direct route."""


@dataclass(frozen=True)
class Judge:
    """A judge: how often it is right on each pair, and how often it says the first candidate regardless."""

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
    """The published gate, without the graph: four equal votes of five, with the candidates in one order."""
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
    """The gate of the graph."""
    client = scripted(judge, probabilities=probabilities)
    graph = build_graph(Settings(task="pairwise", threshold=THRESHOLD, paths=1), client=client, scorer=None)
    outcomes = []
    for i in range(pairs):
        right = i % 2
        candidates = [_RIGHT, _WRONG] if right == 0 else [_WRONG, _RIGHT]
        verification = (await graph.ainvoke({"question": f"pair {i}", "candidates": candidates}))["verification"]
        direct = verification["route"] == "direct"
        outcomes.append((direct and verification["winner"] != right, direct))
        client.calls.clear()
    return outcomes


def scripted(judge: Judge, *, probabilities: bool) -> ScriptedClient:
    """A client whose fast verdicts come from the judge. It has no paths."""

    def first(prompt: Sequence[Message]) -> float:
        text = prompt[-1]["content"]
        found = _NUMBER.search(text)
        assert found is not None  # every question has a number
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
    """The row of one judge with one gate."""
    outcomes = np.array(measured(gate, judge_of(kind, p, bias, pairs), pairs))

    def exact(of: Gate) -> Rates:
        return fixed(of, p, bias) if kind == "fixed" else varying(of, p, bias, CONCENTRATION)

    return Row(kind, p, bias, gate, share(outcomes[:, 0]), share(outcomes[:, 1]), exact(gate), exact("one order"))


def cases(kinds: Sequence[Kind]) -> Iterator[tuple[Kind, float, float, Gate]]:
    """Every judge with every gate."""
    yield from itertools.product(kinds, (0.5, 0.6, 0.8), (0.0, 0.3), GATES)


def table(kind: Kind, rows: Sequence[Row], pairs: int) -> Table:
    headings = ("p", "b", "gate", "wrong and direct", "exact", "of one order's", "direct", "exact")
    columns = (Column(heading, right=heading != "gate") for heading in headings)
    made = Table(*columns, title=f"{kind} judges, {pairs:,} pairs")
    for row in rows:
        made.add_row(
            f"{row.p:g}",
            f"{row.bias:g}",
            row.gate,
            row.wrong.percent(),
            f"{100 * row.exact.wrong:.2f} %",
            f"{row.exact.wrong / row.baseline.wrong:.2f}",
            row.direct.percent(),
            f"{100 * row.exact.direct:.1f} %",
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--pairs", type=int, default=1000, help="pairs for each judge and gate (default 1000)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON lines")
    options = parser.parse_args()
    err = Console(stderr=True)
    kinds: tuple[Kind, ...] = ("fixed", "varying")
    all_cases = list(cases(kinds))
    rows = [row(*case, options.pairs) for case in track(all_cases, "judging", console=err, transient=True)]
    for kind in kinds:
        of_kind = [one for one in rows if one.kind == kind]
        if options.json:
            print(*(json.dumps(asdict(one)) for one in of_kind), sep="\n")
        else:
            standard_output().print(table(kind, of_kind, options.pairs))


if __name__ == "__main__":
    main()
