"""Your own measure of agreement: how far the most frequent answer is ahead of the second."""

from egrm_graph import Evidence, Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient


def lead(evidence: Evidence) -> float:
    """The lead in votes, as a share of all votes. Higher is more certain."""
    first, second = (*evidence.votes.counts, 0, 0)[:2]
    return (first - second) / evidence.votes.total


client = ScriptedClient(fast=["65", "65", "55", "65", "65"], paths=[])
graph = build_graph(
    Settings(task="arithmetic", measure="lead", threshold=0.6),
    client=client,
    scorer=None,
    measures=[lead],
)
uncertainty = graph.invoke({"question": "17+48"})["verification"]["uncertainty"]
print(uncertainty["measure"], uncertainty["value"], "against", uncertainty["threshold"])
