"""A new method of `egrm bench` is one entry in `METHODS`."""

from pathlib import Path

from egrm_graph import Settings
from egrm_graph.benchmark.baselines import PathSampler
from egrm_graph.benchmark.bench_figures import rows
from egrm_graph.benchmark.bench_folder import BenchFolder, BenchPlan
from egrm_graph.benchmark.bench_methods import METHODS, BenchMethod, build_methods
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.parts import assemble


async def lowest(paths: PathSampler) -> str | None:
    """The smallest number among the answers of all paths."""
    answers = await paths.more(paths.max_paths)
    return min((answer for answer in answers if answer is not None), key=int, default=None)


LOWEST = BenchMethod("lowest@N", "the lowest of N answers", build=lambda make, n: make.sampled(int(n), lowest))


async def test_a_method_with_a_parameter_runs_next_to_the_others(tmp_path: Path) -> None:
    client = ScriptedClient(paths=["#66", "#65", "#66"])
    parts = assemble(Settings(task="arithmetic"), client, scorer=None)
    known, names = (*METHODS, LOWEST), ["sc@3", "lowest@3"]
    plan = BenchPlan([BenchQuestion("q", "17+48", "65", 1)], BenchFolder(tmp_path), done=[], concurrency=1)
    run = await plan.run(build_methods(parts, names, known), lambda name, more: None)
    assert [row.accuracy.value for row in rows(run.results, names, known)] == [0.0, 1.0]
