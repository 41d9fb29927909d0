"""What sharing the in-process scorer costs and gains: `python examples/studies/scorer_sharing.py`.

Runs that score their paths all at once, through one scorer, against one offline pass over the same paths, sorted by
length (both score equal paths once), and against scoring every path by itself. The three take turns; each figure is
the median over the rounds with a 95 % interval (by order statistics), and ratios are taken within a round. Then what a
lone path waits beside the model's own time, and the most memory that a process of its own takes with ever more runs.
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
from egrm_graph.scoring.scorer_loading import open_checkpoint
from egrm_graph.settings import BUNDLED_MODEL
from egrm_graph.terminal.tables import Table, standard_output

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FOLDER = bundled(f"{BUNDLED_MODEL}-scorer")


@dataclass(frozen=True)
class Throughput:
    """`texts` in `rounds`; paths a second, and how many times those of the other ways go through one scorer."""

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
    """What a lone path waits beside the model's own time: reading, and through the scorer hand-over and company too."""

    calls: int
    scorer_p50_ms: float
    scorer_p95_ms: float
    direct_p50_ms: float
    direct_p95_ms: float


@dataclass(frozen=True)
class Memory:
    """The most that a process took (resident), scoring the paths of so many runs at once, and before it did."""

    runs: int
    before_mb: float
    most_mb: float


def offline(model: PreTrainedModel, layout: Layout, runs: Runs, max_batch_tokens: int) -> None:
    """One pass over all different rows, sorted by length."""
    read = [row for question, paths in runs for row in layout.rows(question, paths) if isinstance(row, list)]
    batch: list[tuple[int, ...]] = []
    for row in sorted(set(map(tuple, read)), key=len):
        if batch and (len(batch) + 1) * len(row) > max_batch_tokens:
            score_rows(model, batch)
            batch = []
        batch.append(row)
    score_rows(model, batch)


def one_by_one(model: PreTrainedModel, layout: Layout, runs: Runs) -> None:
    for question, paths in runs:
        for path in paths:
            score_rows(model, [row for row in layout.rows(question, [path]) if isinstance(row, list)])


async def shared(scorer: ClassifierScorer, runs: Runs) -> None:
    await asyncio.gather(*(scorer.score(question, paths) for question, paths in runs))


async def throughput(texts: str, runs: Runs, rounds: int, max_batch_tokens: int) -> Throughput:
    """The rounds, after one that does not count."""
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
            for one, all_of_it in zip(took, (shared_s, offline_s, one_by_one_s), strict=True):
                all_of_it.append(one)
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
    """One path at a time; the model's own time is taken by hooks around it."""
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
    """Of this process, so that it has to be a fresh one. On Linux, which alone can forget what loading took."""
    scorer = ClassifierScorer.load(FOLDER)
    runs = all_different(n_runs, n_paths)
    await shared(scorer, runs[:64])  # what torch allocates once and keeps
    _forget_most()
    before = _most_mb()
    await shared(scorer, runs)
    await scorer.aclose()
    return Memory(n_runs, before, _most_mb())


def memory(n_runs: int, n_paths: int) -> Memory:
    command = [
        sys.executable,
        __file__,
        "--paths",
        str(n_paths),
        "--memory-of",
        str(n_runs),
    ]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    return Memory(**json.loads(told.stdout))


def _forget_most() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _most_mb() -> float:
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1e3  # kilobytes there


def throughput_table(results: Sequence[Throughput]) -> Table:
    """`batch` is in tokens; what is in brackets is how many paths are different."""
    first = results[0]
    title = f"{first.runs} runs at once, {first.paths} paths, {first.rounds} rounds; paths a second"
    shown = Table("paths", "batch", "shared", "offline", "one by one", "/ offline", "/ one by one", title=title)
    for each in results:
        shown.add_row(
            f"{each.texts} ({each.different})",
            str(each.max_batch_tokens),
            *(_cell(value, 0) for value in (each.shared_per_s, each.offline_per_s, each.one_by_one_per_s)),
            *(_cell(value, 2) for value in (each.over_offline, each.over_one_by_one)),
        )
    return shown


def rest_table(wait: Wait, memories: Sequence[Memory]) -> Table:
    shown = Table("", "")
    title = f"a lone path waits, {wait.calls} calls"
    shown.add_row(title, f"p50 {wait.scorer_p50_ms:.2f} ms, p95 {wait.scorer_p95_ms:.2f} ms")
    shown.add_row("the same, called directly", f"p50 {wait.direct_p50_ms:.2f} ms, p95 {wait.direct_p95_ms:.2f} ms")
    for each in memories:
        shown.add_row(f"most memory, {each.runs} runs", f"{each.most_mb:.0f} MB, {each.before_mb:.0f} before")
    return shown


def _cell(value: Figure, digits: int) -> str:
    return f"{value.median:.{digits}f}\n{value.low:.{digits}f}-{value.high:.{digits}f}"


async def measure(given: argparse.Namespace) -> tuple[list[Throughput], Wait, list[Memory]]:
    kinds = {
        "drawn": await drawn(given.runs, given.paths),
        "all different": all_different(given.runs, given.paths),
    }
    results = [
        await throughput(kind, runs, given.rounds, tokens)
        for tokens in given.max_batch_tokens
        for kind, runs in kinds.items()
    ]
    wait = await lone_wait(kinds["all different"], given.calls)
    return results, wait, [memory(n, given.paths) for n in given.memory_runs]


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--runs", type=int, default=64, help="at once (default 64)")
    parser.add_argument("--paths", type=int, default=4, help="a run (default 4)")
    parser.add_argument("--rounds", type=int, default=11, help="counted rounds (default 11)")
    parser.add_argument("--calls", type=int, default=200, help="of a lone path (default 200)")
    parser.add_argument(
        "--max-batch-tokens", type=int, nargs="+", default=[1024], help="each measured by itself (default 1024)"
    )
    parser.add_argument(
        "--memory-runs", type=int, nargs="*", default=[64, 1024], help="each in a process (default 64 1024)"
    )
    parser.add_argument("--memory-of", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON lines")
    return parser.parse_args(given)


def main(args: Sequence[str] | None = None) -> None:
    given = arguments(args)
    if given.memory_of is not None:
        print(json.dumps(asdict(asyncio.run(memory_here(given.memory_of, given.paths)))))
        return
    results, wait, memories = asyncio.run(measure(given))
    if given.json:
        for line in [*map(asdict, results), asdict(wait), *map(asdict, memories)]:
            print(json.dumps(line))
        return
    console = standard_output()
    console.print(throughput_table(results))
    console.print(rest_table(wait, memories))


if __name__ == "__main__":
    main()
