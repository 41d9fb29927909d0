"""Measure judges on pairs of two domains: right verdicts, the structures that they choose, and their sub-verdicts.

    python examples/arithmetic/make_judgments.py --output build/judgments
    python examples/studies/judge_styles.py build/judgments/test_pairs.jsonl base=egrm-tiny-mixed-judge \\
        breadth=runs/breadth-0,runs/breadth-1,runs/breadth-2 --prompts expand_cot

Each judge has a name and one or more folders with models, one for each seed of its training; `egrm-tiny-mixed-judge`
is the bundled one. A pair is judged once by each model, half of the pairs in either order. With several prompts, each
makes a row: `expand_cot.breadth` and `expand_cot.depth` force a structure, and `answer_fast` asks for a fast verdict.

A verdict that cannot be read is wrong in the column *strict*, and counts half in *RewardBench*. *Fits* is the share of
judgments with the structure that fits the domain: depth on correctness, breadth on preference. *Units* is the share of
right sub-verdicts, and *sums* that of right answers among those derived. The intervals are 95 % bootstrap intervals
over pairs. Differences are to the judge in the first row, on the same pairs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from egrm_graph.clients.client import Client, Completion, Sampling
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.intervals import Columns, bootstrap
from egrm_graph.judgments.digit_grammar import PRINCIPLES
from egrm_graph.prompting import FAST_PROMPT, Prompts
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_MIXED_JUDGE, RunSettings
from egrm_graph.tasks import Judging, task_named
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.verification import View

DOMAINS = ("correctness", "preference")
FITTING = {"correctness": "depth", "preference": "breadth"}
"""The structure that fits each domain."""
MEASURES = ("strict", "rewardbench", "tokens", "depth", "breadth", "units_right", "units", "sums_right", "sums")
SHARES = ("breadth", "depth")
HEADINGS = ("judge", "domain", "strict", "difference", "RewardBench", "tokens", *SHARES, "fits", "units", "sums")
RIGHT_ANSWER, _ = PRINCIPLES["#"]
SETTINGS = RunSettings()


@dataclass(frozen=True)
class Judge:
    """A judge and a prompt, with its measures in each domain, of shape (seeds, MEASURES, pairs)."""

    name: str
    measures: Mapping[str, np.ndarray[Any, np.dtype[np.float64]]]

    def of(self, domain: str, measure: str) -> Columns:
        """One measure, of shape (seeds, pairs)."""
        return self.measures[domain][:, MEASURES.index(measure)]


def measure(task: Judging, pair: Mapping[str, Any], view: View, completion: Completion, *, fast: bool) -> list[float]:
    """The measures of one judgment, in the order of `MEASURES`."""
    complete = completion.finish_reason == "stop"
    verdict = task.read(completion.text, view, fast=fast, complete=complete)
    strict = float(verdict == pair["reference"])
    measures = [
        strict,
        0.5 if verdict is None else strict,
        math.nan if completion.n_tokens is None else completion.n_tokens,
    ]
    if fast:
        return measures + [0.0] * (len(MEASURES) - len(measures))
    judgment = task.read_judgment(completion.text, view, complete=complete)
    units_right = sum(unit.sub_verdict == pair["sub_verdicts"].get(unit.principle) for unit in judgment.units)
    right_answer = pair["candidates"]["AB".index(pair["reference"])].partition("#")[2]
    answers = [unit.judgment for unit in judgment.units if unit.principle == RIGHT_ANSWER and right_answer]
    structures = [judgment.structure == "depth", judgment.structure == "breadth"]
    return [*measures, *structures, units_right, len(judgment.units), answers.count(right_answer), len(answers)]


async def judged(client: Client, pairs: Sequence[Mapping[str, Any]], prompt: str, options: argparse.Namespace) -> Any:
    """The measures of each pair, of shape (MEASURES, pairs)."""
    task = task_named("pairwise", bundled="digits")
    assert isinstance(task, Judging)
    prompts = Prompts.load("auto", task.prompts, task.variables, {FAST_PROMPT: None, prompt: None})
    sampling = Sampling(temperature=options.temperature, max_tokens=options.max_tokens)

    async def one(i: int, pair: Mapping[str, Any]) -> list[float]:
        subject = task.ask({"question": pair["question"], "candidates": pair["candidates"]}, SETTINGS)
        views = task.views(subject, SETTINGS, 2)
        view = views[i // len(DOMAINS) % 2]
        messages = prompts.render(prompt, view["variables"])
        done = await client.sample(messages, sampling, seeds=(options.seed + i,), request_id=str(i))
        return measure(task, pair, view, done.completions[0], fast=prompt == FAST_PROMPT)

    return np.array(await asyncio.gather(*(one(i, pair) for i, pair in enumerate(pairs))), float).T


def judge(name: str, folders: Sequence[str], prompt: str, options: argparse.Namespace) -> Judge:
    """Measure the models in these folders with one prompt."""
    pairs = [json.loads(line) for line in options.pairs.read_text("utf-8").splitlines()][: options.most]
    by_domain: dict[str, list[Any]] = {domain: [] for domain in DOMAINS}
    for folder in folders:
        client = EmbeddedClient.load(bundled(folder) if folder == BUNDLED_MIXED_JUDGE else Path(folder))
        found = asyncio.run(judged(client, pairs, prompt, options))
        for domain, rows in by_domain.items():
            rows.append(found[:, [pair["domain"] == domain for pair in pairs]])
    label = name if prompt == "expand_cot" else f"{name}, {prompt}"
    return Judge(label, {domain: np.stack(rows) for domain, rows in by_domain.items()})


def mean(columns: Columns) -> float:
    """The mean over seeds and pairs."""
    return float(columns.mean())


def share_of(right: Columns, total: Columns) -> str:
    """The share of what is right in a total, formatted. Empty if the total is 0."""
    if not total.sum():
        return ""
    stacked = np.concatenate([right, total])
    half = len(right)

    def divided(columns: Columns) -> float:
        total_of_draw = float(columns[half:].sum())
        return float(columns[:half].sum()) / total_of_draw if total_of_draw else math.nan

    return bootstrap(stacked, divided).percent()


def figures(one: Judge, domain: str, first: Judge) -> dict[str, Any]:
    """The figures of one row."""
    strict, base = one.of(domain, "strict"), first.of(domain, "strict")
    half = len(strict)
    difference = bootstrap(
        np.concatenate([strict, base]), lambda columns: 100 * (mean(columns[:half]) - mean(columns[half:]))
    )
    return {
        "judge": one.name,
        "domain": domain,
        "strict": bootstrap(strict, mean).percent(),
        "by_seed": [float(row.mean()) for row in strict],
        "difference": difference.points() if one is not first else "",
        "rewardbench": bootstrap(one.of(domain, "rewardbench"), mean).percent(),
        "tokens": round(mean(one.of(domain, "tokens")), 1),
        "breadth": mean(one.of(domain, "breadth")),
        "depth": mean(one.of(domain, "depth")),
        "fits": bootstrap(one.of(domain, FITTING[domain]), mean).percent(),
        "units_right": share_of(one.of(domain, "units_right"), one.of(domain, "units")),
        "sums_right": share_of(one.of(domain, "sums_right"), one.of(domain, "sums")),
    }


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The figures as a table."""
    made = Table(*(Column(heading, right=i > 1) for i, heading in enumerate(HEADINGS)))
    for row in rows:
        shares = (f"{100 * row[name]:.1f} %" for name in SHARES)
        cells = (row["judge"], row["domain"], row["strict"], row["difference"], row["rewardbench"], f"{row['tokens']}")
        made.add_row(*cells, *shares, row["fits"], row["units_right"], row["sums_right"])
    return made


def named(text: str) -> tuple[str, list[str]]:
    """`NAME=FOLDER,FOLDER` as a name and folders."""
    name, found, folders = text.partition("=")
    if not (name and found and folders):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FOLDER or NAME=FOLDER,FOLDER")
    return name, folders.split(",")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", type=Path, help="the pairs that make_judgments.py wrote")
    parser.add_argument("judges", type=named, nargs="+", metavar="NAME=FOLDER[,FOLDER]", help="judges, in order")
    parser.add_argument("--prompts", default="expand_cot", help="prompts to judge with, with commas between them")
    parser.add_argument("--most", type=int, help="how many pairs to use, from the first on")
    parser.add_argument("--temperature", type=float, default=1.0, help="0 takes the likeliest tokens")
    parser.add_argument("--max-tokens", type=int, default=160, help="the maximum length of a judgment")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the judgments")
    parser.add_argument("--output", type=Path, help="a file for the figures as JSON")
    options = parser.parse_args()
    judges = [
        judge(name, folders, prompt, options)
        for name, folders in options.judges
        for prompt in options.prompts.split(",")
    ]
    rows = [figures(one, domain, judges[0]) for one in judges for domain in DOMAINS]
    standard_output().print(table(rows))
    if options.output is not None:
        options.output.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
