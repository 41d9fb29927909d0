"""Your own selection rule: the answer whose paths have the best mean score, however few they are."""

from collections.abc import Sequence
from statistics import mean

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient


def best_mean(classes: Sequence[int], scores: Sequence[float]) -> int:
    """The index of the winning path. Paths of one class have equal answers."""
    means = {one: mean(score for it, score in zip(classes, scores, strict=True) if it == one) for one in set(classes)}
    return max(range(len(classes)), key=lambda i: (means[classes[i]], scores[i]))


def score(_question: str, path: str) -> float:
    return 0.9 if path.endswith("#56") else 0.4


client = ScriptedClient(fast=["56", "46", "46", "56", "46"], paths=["#46", "#46", "#46", "#56"])
graph = build_graph(
    Settings(task="arithmetic", selection="best_mean"),
    client=client,
    scorer=score,
    selection_rules=[best_mean],
)
print(graph.invoke({"question": "17+48-9"})["verification"]["answer"])
