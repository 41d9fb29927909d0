"""A plain Python function as the scorer: the share of steps in a worked sum that are right."""

import re

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient


def right_steps(_question: str, path: str) -> float:
    steps = re.findall(r"(\d+)([+-])(\d+)=(\d+)", path)
    right = [int(a) + (1 if sign == "+" else -1) * int(b) == int(total) for a, sign, b, total in steps]
    return sum(right) / len(right) if right else 0.0


# The fast answers disagree, so paths are drawn. Three of the four make the same mistake.
wrong = "17+48=55;55-9=46;#46"
client = ScriptedClient(fast=["56", "46", "46", "56", "46"], paths=[wrong, "17+48=65;65-9=56;#56", wrong, wrong])
graph = build_graph(
    Settings(task="arithmetic", selection="best_score"),
    client=client,
    scorer=right_steps,
)
verification = graph.invoke({"question": "17+48-9"})["verification"]
print(verification["answer"], [path["score"] for path in verification["paths"]])
