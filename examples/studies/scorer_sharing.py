"""Measure the cost and gain of sharing the in-process scorer: `python examples/studies/scorer_sharing.py`.

It compares concurrent runs with one scorer, an offline pass over the same paths sorted by length, and scoring every
path separately. The first two score equal paths once. The three take turns. Each figure is the median over the rounds
with a 95 % interval (by order statistics), and ratios are taken within a round. It then measures how long a single path
waits in addition to the time of the model, and the peak memory of a fresh process with a growing number of runs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from client_overhead import Figure, figure
from scored_texts import Runs, all_different, drawn

from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.classifier import ClassifierScorer
from egrm_graph.scoring.forward import score_rows
from egrm_graph.scoring.layout import Layout
from egrm_graph.scoring.score_row import ScoreRow
from egrm_graph.scoring.scorer_loading import open_checkpoint
from egrm_graph.settings import BUNDLED_MODEL
from egrm_graph.terminal.tables import Table, standard_output

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FOLDER = bundled(f"{BUNDLED_MODEL}-scorer")


@dataclass(frozen=True)
class Throughput:
    """Paths per second on `texts` over `rounds`, and the ratio of the shared scorer to the alternatives."""

    texts: str
    runs: int
    paths: int
    different: int
    rounds: int
    max_batch_tokens: int
    shared_per_s: Figure
    offline_per_s: Figure
    one_by_one_per_s: Figure
    over_offline: Figure
    over_one_by_one: Figure


@dataclass(frozen=True)
class Wait:
    """The wait of a single path in addition to the time of the model, with the scorer and without it."""

    calls: int
    scorer_p50_ms: float
    scorer_p95_ms: float
    direct_p50_ms: float
    direct_p95_ms: float


@dataclass(frozen=True)
class Memory:
    """The peak resident memory of a process that scores the paths of this many runs at once, and before that."""

    runs: int
    before_mb: float
    peak_mb: float


def offline(model: PreTrainedModel, layout: Layout, runs: Runs, max_batch_tokens: int) -> None:
    """One pass over all different rows, sorted by length."""
    rows = [row for question, paths in runs for row in layout.rows(question, paths) if isinstance(row, list)]
    batch: list[tuple[int, ...]] = []
    for row in sorted(set(map(tuple, rows)), key=len):
        if batch and (len(batch) + 1) * len(row) > max_batch_tokens:
            score_rows(model, [ScoreRow(row) for row in batch])
            batch = []
        batch.append(row)
    score_rows(model, [ScoreRow(row) for row in batch])


def one_by_one(model: PreTrainedModel, layout: Layout, runs: Runs) -> None:
    for question, paths in runs:
        for path in paths:
            score_rows(model, [ScoreRow(row) for row in layout.rows(question, [path]) if isinstance(row, list)])


async def shared(scorer: ClassifierScorer, runs: Runs) -> None:
    await asyncio.gather(*(scorer.score(question, paths) for question, paths in runs))


async def throughput(texts: str, runs: Runs, rounds: int, max_batch_tokens: int) -> Throughput:
    """Measure all rounds, after one that does not count."""
    model, layout, _ = open_checkpoint(FOLDER)
    scorer = ClassifierScorer(model, layout, name=FOLDER.name, max_batch_tokens=max_batch_tokens)
    shared_s, offline_s, one_by_one_s = list[float](), list[float](), list[float]()
    for i in range(rounds + 1):
        start = time.perf_counter()
        await shared(scorer, runs)
        took = [time.perf_counter() - start]
        took.append(seconds(lambda: offline(model, layout, runs, max_batch_tokens)))
        took.append(seconds(lambda: one_by_one(model, layout, runs)))
        if i > 0:
            for elapsed, values in zip(took, (shared_s, offline_s, one_by_one_s), strict=True):
                values.append(elapsed)
    await scorer.aclose()
    n_paths = sum(len(paths) for _, paths in runs)
    return Throughput(
        texts=texts,
        runs=len(runs),
        paths=n_paths,
        different=len({(question, path) for question, paths in runs for path in paths}),
        rounds=rounds,
        max_batch_tokens=max_batch_tokens,
        shared_per_s=figure([n_paths / s for s in shared_s]),
        offline_per_s=figure([n_paths / s for s in offline_s]),
        one_by_one_per_s=figure([n_paths / s for s in one_by_one_s]),
        over_offline=figure([other / s for s, other in zip(shared_s, offline_s, strict=True)]),
        over_one_by_one=figure([other / s for s, other in zip(shared_s, one_by_one_s, strict=True)]),
    )


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


async def lone_wait(runs: Runs, calls: int) -> Wait:
    """Score one path at a time. Hooks measure the time of the model."""
    model, layout, _ = open_checkpoint(FOLDER)
    marks: list[float] = []
    model.register_forward_pre_hook(lambda *_: marks.append(time.perf_counter()))
    model.register_forward_hook(lambda *_: marks.append(time.perf_counter()))
    scorer = ClassifierScorer(model, layout, name=FOLDER.name)
    through_scorer, direct = list[float](), list[float]()
    for i in range(calls + 1):
        question, paths = runs[i % len(runs)]
        start = time.perf_counter()
        await scorer.score(question, paths[:1])
        through_scorer.append(time.perf_counter() - start - (marks[-1] - marks[-2]))
        took = seconds(partial(one_by_one, model, layout, [(question, paths[:1])]))
        direct.append(took - (marks[-1] - marks[-2]))
    await scorer.aclose()
    return Wait(calls, *_percentiles_ms(through_scorer[1:]), *_percentiles_ms(direct[1:]))


def _percentiles_ms(waits_s: Sequence[float]) -> tuple[float, float]:
    return statistics.median(waits_s) * 1e3, statistics.quantiles(waits_s, n=20)[-1] * 1e3


async def memory_here(n_runs: int, n_paths: int) -> Memory:
    """Measure this process, which must be a fresh one. Needs Linux, which can reset the peak after loading."""
    scorer = ClassifierScorer.load(FOLDER)
    runs = all_different(n_runs, n_paths)
    await shared(scorer, runs[:64])  # for what torch allocates once and keeps
    _reset_peak()
    before = _peak_mb()
    await shared(scorer, runs)
    await scorer.aclose()
    return Memory(n_runs, before, _peak_mb())


def memory(n_runs: int, n_paths: int) -> Memory:
    command = [
        sys.executable,
        __file__,
        "--paths",
        str(n_paths),
        "--memory-of",
        str(n_runs),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Memory(**json.loads(done.stdout))


def _reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1e3  # in kilobytes


def throughput_table(results: Sequence[Throughput]) -> Table:
    """The throughput. `batch` is in tokens, and brackets have the number of different paths."""
    first = results[0]
    title = f"{first.runs} runs at once, {first.paths} paths, {first.rounds} rounds; paths per second"
    made = Table("paths", "batch", "shared", "offline", "one by one", "/ offline", "/ one by one", title=title)
    for row in results:
        made.add_row(
            f"{row.texts} ({row.different})",
            str(row.max_batch_tokens),
            *(_cell(value, 0) for value in (row.shared_per_s, row.offline_per_s, row.one_by_one_per_s)),
            *(_cell(value, 2) for value in (row.over_offline, row.over_one_by_one)),
        )
    return made


def rest_table(wait: Wait, memories: Sequence[Memory]) -> Table:
    made = Table("", "")
    title = f"a single path waits, {wait.calls} calls"
    made.add_row(title, f"p50 {wait.scorer_p50_ms:.2f} ms, p95 {wait.scorer_p95_ms:.2f} ms")
    made.add_row("the same, called directly", f"p50 {wait.direct_p50_ms:.2f} ms, p95 {wait.direct_p95_ms:.2f} ms")
    for use in memories:
        made.add_row(f"peak memory, {use.runs} runs", f"{use.peak_mb:.0f} MB, {use.before_mb:.0f} before")
    return made


def _cell(value: Figure, digits: int) -> str:
    return f"{value.median:.{digits}f}\n{value.low:.{digits}f}-{value.high:.{digits}f}"


async def measure(options: argparse.Namespace) -> tuple[list[Throughput], Wait, list[Memory]]:
    kinds = {
        "drawn": await drawn(options.runs, options.paths),
        "all different": all_different(options.runs, options.paths),
    }
    results = [
        await throughput(kind, runs, options.rounds, tokens)
        for tokens in options.max_batch_tokens
        for kind, runs in kinds.items()
    ]
    wait = await lone_wait(kinds["all different"], options.calls)
    return results, wait, [memory(n, options.paths) for n in options.memory_runs]


def arguments(args: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--runs", type=int, default=64, help="concurrent runs (default 64)")
    parser.add_argument("--paths", type=int, default=4, help="paths per run (default 4)")
    parser.add_argument("--rounds", type=int, default=11, help="counted rounds (default 11)")
    parser.add_argument("--calls", type=int, default=200, help="calls with a single path (default 200)")
    parser.add_argument(
        "--max-batch-tokens",
        type=int,
        nargs="+",
        default=[1024],
        help="batch sizes, each measured separately (default 1024)",
    )
    parser.add_argument(
        "--memory-runs",
        type=int,
        nargs="*",
        default=[64, 1024],
        help="numbers of runs to measure memory with (default 64 1024)",
    )
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON lines")
    return parser.parse_args(args)


def main(args: Sequence[str] | None = None) -> None:
    options = arguments(args)
    if options.memory_of is not None:
        print(json.dumps(asdict(asyncio.run(memory_here(options.memory_of, options.paths)))))
        return
    results, wait, memories = asyncio.run(measure(options))
    if options.json:
        for line in [*map(asdict, results), asdict(wait), *map(asdict, memories)]:
            print(json.dumps(line))
        return
    console = standard_output()
    console.print(throughput_table(results))
    console.print(rest_table(wait, memories))


if __name__ == "__main__":
    main()
