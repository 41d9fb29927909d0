"""How a model judges pairs by each path strategy: right verdicts, tokens, and how much of each judgment can be read.

    python examples/studies/pair_strategies.py pairs.jsonl --model NAME --base-url http://localhost:8000/v1 \\
        --results results.jsonl

Every pair is judged by reasoning in both orders, with one path in each, once by every strategy. The fast verdicts that
come before are a row of their own. A pair with a result in --results is not judged again, so a killed study can be
started again, and another file or strategy only adds its own. Use another file of results for another model. --so-far
judges nothing, and prints the table of the pairs that are finished.

A verdict that cannot be read is wrong, and so is a tie between the orders; RewardBench's parser counts both half.
Below *paths right*, a path without a verdict is wrong. If no path of a pair has a verdict, its fast verdicts decide.
*Units* is how many a path has on average, *lost* how many parts of one cannot be read, and *breadth* and *depth* are
the shares of paths with that structure. Intervals are 95 % bootstrap intervals over pairs; points are over the first
strategy, paired.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path as File
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress

from egrm_graph import Settings, build_graph
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.benchmark.published_sets import read_questions
from egrm_graph.deciding.verdict_parsers import rewardbench_score, strict_score
from egrm_graph.intervals import Columns, bootstrap
from egrm_graph.settings import RunSettings
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.verification import Path, Verification

FAST = "fast"
PATHS = 2
"""One in each order."""
HEADINGS = ("judged by", "right", "points", "RewardBench", "tokens", "paths right", "unreadable", "units", "lost")

Result = dict[str, Any]


def path_figures(path: Path, reference: str) -> dict[str, float]:
    """What counts of one path. A lost path has nothing that can be read."""
    judgment = path.get("judgment")
    return {
        "path_right": float(path["answer"] == reference),
        "unreadable": float(path["answer"] is None),
        "units": 0.0 if judgment is None else len(judgment["units"]),
        "lost": 0.0 if judgment is None else len(judgment["lost"]),
        "breadth": float(judgment is not None and judgment["structure"] == "breadth"),
        "depth": float(judgment is not None and judgment["structure"] == "depth"),
    }


def result(pair: BenchQuestion, name: str, found: Verification) -> Result:
    """The result of one pair, with the means over its paths, and their texts."""
    paths = [path_figures(path, pair.reference) for path in found["paths"]]
    means = {key: float(np.mean([path[key] for path in paths])) for key in paths[0]} if paths else {}
    return {
        "id": pair.id,
        "judged_by": name,
        "right": float(strict_score(found["answer"], pair.reference)),
        "rewardbench": rewardbench_score(found["answer"], pair.reference),
        "tokens": found["usage"]["completion_tokens"],
        **means,
        "texts": [path["text"] for path in found["paths"]],
        "reasons": found["reasons"],
    }


def lost(found: Verification) -> str | None:
    """Why a call of this run failed, which says nothing about the judge; None if none did."""
    calls = [*found["samples"], *found["readings"], *found["paths"]]
    return next((each["error"] for each in calls if each["error"] is not None), None)


async def judge_all(
    pairs: Sequence[BenchQuestion], done: set[tuple[str, str]], options: argparse.Namespace
) -> list[str]:
    """Judge what has no result yet, and append each result to the file. Returns why pairs have none."""
    graph = build_graph(
        Settings(
            engine="vllm",
            model=options.model,
            base_url=(options.base_url,),
            task="pairwise",
            scorer=None,
            paths=PATHS,
            path_stopping="all",
            path_temperature=options.temperature,
            path_max_tokens=options.max_tokens,
            path_reply=options.path_reply,
            request_timeout_s=3000,
            seed=options.seed,
        )
    )
    slots, failed = asyncio.Semaphore(options.concurrency), list[str]()
    todo = {pair: [name for name in (FAST, *options.strategies) if (name, pair.id) not in done] for pair in pairs}
    with Progress(console=Console(stderr=True)) as progress, options.results.open("a", encoding="utf-8") as file:
        bar = progress.add_task("judging", total=sum(map(len, todo.values())))

        async def one(pair: BenchQuestion, name: str) -> None:
            # A certainty never reaches 1.1, and a threshold of 0 always opens the gate.
            context = RunSettings(threshold=0.0) if name == FAST else RunSettings(threshold=1.1, strategy=name)
            found = (await graph.ainvoke(pair.input, context=context))["verification"]
            progress.advance(bar)
            if (cause := lost(found)) is not None:
                failed.append(cause)
                return
            file.write(json.dumps(result(pair, name, found), ensure_ascii=False) + "\n")
            file.flush()

        async def all_of(pair: BenchQuestion) -> None:
            # One after the other, so that each finds what their prompts share in the server's cache.
            async with slots:
                for name in todo[pair]:
                    await one(pair, name)

        await asyncio.gather(*map(all_of, pairs))
    return failed


def read_results(file: File) -> list[Result]:
    """The results so far."""
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


def table(results: Sequence[Result], names: Sequence[str], pairs: Sequence[BenchQuestion]) -> Table:
    """A row for each way to judge, on the same pairs."""
    made = Table(*(Column(heading, right=i > 0) for i, heading in enumerate((*HEADINGS, "breadth", "depth"))))
    by_name = {name: {each["id"]: each for each in results if each["judged_by"] == name} for name in names}
    first = column(by_name[names[1] if names[0] == FAST and len(names) > 1 else names[0]], "right", pairs)
    for name in names:
        right = column(by_name[name], "right", pairs)
        points = bootstrap(np.stack([right, first]), lambda both: 100 * float((both[0] - both[1]).mean()))
        paths = ["-"] * 6
        if name != FAST:
            path_right, unreadable, units, lost, breadth, depth = (
                bootstrap(column(by_name[name], key, pairs)[None], mean)
                for key in ("path_right", "unreadable", "units", "lost", "breadth", "depth")
            )
            counts = (f"{units.value:.1f}", f"{lost.value:.1f}")
            paths = [path_right.percent(), unreadable.percent(), *counts, breadth.percent(), depth.percent()]
        made.add_row(
            name,
            bootstrap(right[None], mean).percent(),
            "" if right is first or np.array_equal(right, first) else points.points(),
            bootstrap(column(by_name[name], "rewardbench", pairs)[None], mean).percent(),
            f"{column(by_name[name], 'tokens', pairs).mean():.1f}",
            *paths,
        )
    return made


def finished(results: Sequence[Result], names: Sequence[str], pairs: Sequence[BenchQuestion]) -> list[BenchQuestion]:
    """The pairs with a result of each name."""
    known = {(each["judged_by"], each["id"]) for each in results}
    return [pair for pair in pairs if all((name, pair.id) in known for name in names)]


def column(of_name: dict[str, Result], key: str, pairs: Sequence[BenchQuestion]) -> Columns:
    """One figure of all pairs, in order."""
    return np.array([of_name[pair.id].get(key, 0.0) for pair in pairs], float)


def mean(columns: Columns) -> float:
    """The mean of a row of columns."""
    return float(columns.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pairs", type=File, help="pairs, as `egrm bench` reads them")
    parser.add_argument("--model", help="the name of the model")
    parser.add_argument("--base-url", help="the address of its vLLM server")
    parser.add_argument("--results", type=File, required=True, help="the file of results, which is continued")
    parser.add_argument("--so-far", action="store_true", help="only print the table of the pairs that are finished")
    parser.add_argument("--strategies", nargs="+", default=["plain", "breadth", "depth"], help="path strategies")
    parser.add_argument("--pairs-used", type=int, help="how many pairs to use, from the first on")
    parser.add_argument("--temperature", type=float, default=0.7, help="the temperature of the paths")
    parser.add_argument("--max-tokens", type=int, default=768, help="the maximum length of a path")
    parser.add_argument(
        "--path-reply", choices=("free", "structured"), default="free", help="whether the server enforces the form"
    )
    parser.add_argument("--concurrency", type=int, default=32, help="pairs at once, at most")
    parser.add_argument("--seed", type=int, default=0, help="the seed of the judgments")
    options = parser.parse_args()
    names = [FAST, *options.strategies]
    pairs = read_questions(options.pairs)[: options.pairs_used]
    found = read_results(options.results)
    if options.so_far:
        given, pairs = len(pairs), finished(found, names, pairs)
        if not pairs:
            sys.exit(f"error: no pair of {options.pairs} has results for {', '.join(names)} in {options.results}")
        print(f"{len(pairs)} of {given} pairs are finished")
    else:
        if not (options.model and options.base_url):
            parser.error("name --model and --base-url, or print what there is with --so-far")
        failed = asyncio.run(judge_all(pairs, {(each["judged_by"], each["id"]) for each in found}, options))
        if failed:
            sys.exit(
                f"error: {len(failed)} judgments failed, and have no result; run it again. For example: {failed[0]}"
            )
    standard_output().print(table(read_results(options.results), names, pairs))


if __name__ == "__main__":
    main()
