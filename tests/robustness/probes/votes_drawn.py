"""Count the fast answers that a run draws before the remaining ones can no longer matter."""

import math
from typing import Any

from egrm_graph import Measure, Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import MEASURES


def lead(evidence: Evidence) -> float:
    first, second, *_ = *evidence.votes.counts, 0, 0
    return (first - second) / evidence.votes.total


def runner_up(evidence: Evidence) -> float:
    return sum(evidence.votes.counts[1:]) / evidence.votes.total


def n_answers(evidence: Evidence) -> float:
    return len(evidence.votes.counts)


def text_length(evidence: Evidence) -> float:
    return max(len(sample["text"] or "") for sample in evidence.samples)


def combination(evidence: Evidence) -> float:
    consensus, entropy = (MEASURES[name].value(evidence) for name in ("consensus", "semantic_entropy"))
    return 1 / (1 + math.exp(-(2 * (consensus - 0.5) / 0.25 - (entropy - 0.5) / 0.5)))


OWN = (
    Measure("lead", lead, threshold=0.6, higher_is_certain=True),
    Measure("runner_up", runner_up, threshold=0.2, higher_is_certain=False),
    Measure("n_answers", n_answers, threshold=2, higher_is_certain=False),
    Measure("text_length", text_length, threshold=9, higher_is_certain=False),
    Measure("combination", combination, threshold=0.8, higher_is_certain=True),
)


async def outcome(given: dict[str, Any]) -> dict[str, Any]:
    answers = [str(answer) for answer in given["answers"]]
    measure, threshold = given["measure"], given.get("threshold")
    settings = Settings(measure=measure, threshold=threshold, samples=len(answers), task="answer")
    client = ScriptedClient(fast=[f"\\boxed{{{answer}}}" for answer in answers], paths=["\\boxed{7}"] * 4)
    graph = build_graph(settings, client=client, scorer=None, measures=OWN)
    found = (await graph.ainvoke({"question": "Which?"}))["verification"]
    return {"drawn": found["uncertainty"]["samples"], "route": found["route"], "answer": found["answer"]}
