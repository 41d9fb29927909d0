"""Your own stopping rules: enough fast answers once one is three votes ahead, and enough paths after a sure one."""

from egrm_graph import Settings, Standing, build_graph
from egrm_graph.clients.scripted import ScriptedClient


def three_ahead(standing: Standing) -> bool:
    first, second = (*sorted(standing.counts, reverse=True), 0, 0)[:2]
    return first - second >= 3


def one_sure_path(standing: Standing) -> bool:
    return any(score is not None and score > 0.99 for score in standing.scores)


client = ScriptedClient(fast=["65"] * 16, paths=[])
graph = build_graph(
    Settings(task="arithmetic", samples=16, stopping="three_ahead", path_stopping="one_sure_path"),
    client=client,
    scorer=None,
    stopping_rules=[three_ahead, one_sure_path],
)
uncertainty = graph.invoke({"question": "17+48"})["verification"]["uncertainty"]
print(uncertainty["samples"], "of", uncertainty["planned"])
