"""Your own stopping rule: no more fast answers once one answer is three votes ahead."""

from egrm_graph import Settings, Standing, build_graph
from egrm_graph.clients.scripted import ScriptedClient


def three_ahead(standing: Standing) -> bool:
    first, second = (*sorted(standing.counts, reverse=True), 0, 0)[:2]
    return first - second >= 3


client = ScriptedClient(fast=["65"] * 16, paths=[])
graph = build_graph(
    Settings(task="arithmetic", samples=16, stopping="three_ahead"),
    client=client,
    scorer=None,
    stopping_rules=[three_ahead],
)
uncertainty = graph.invoke({"question": "17+48"})["verification"]["uncertainty"]
print(uncertainty["samples"], "of", uncertainty["planned"])
