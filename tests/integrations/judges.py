"""Graphs with a scripted model that judges candidates by their text."""

import re
from collections.abc import Callable, Sequence

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.integrations.graph_calls import Graph
from egrm_graph.settings import TaskName
from egrm_graph.verification import Message

_CANDIDATES = re.compile(r"\[candidate(?: (\w+))? ([0-9a-f]{8})\]\n(.*?)\n\[end of candidate", re.DOTALL)


def summing() -> Graph:
    """Return a graph of the task `best_of_n` whose model picks the candidate closest to the sum in the question."""

    def script(prompt: Sequence[Message], seed: int, request_id: str) -> Item:
        text = "\n".join(message["content"] for message in prompt)
        [question] = re.findall(r"\[question [0-9a-f]{8}\]\n([-+0-9]+)", text)
        right = sum(int(term) for term in re.findall("[+-]?[0-9]+", question))
        candidates = _CANDIDATES.findall(text)
        label, code, _ = min(candidates, key=lambda candidate: (_distance(candidate[2], right), candidate[2]))
        return label if "answer_fast" in request_id else f"{code}: {label}"

    return build_graph(Settings(task="best_of_n"), client=ScriptedClient(script), scorer=None)


def judging(task: TaskName, good: Callable[[str], bool], *, lost: str | None = None) -> Graph:
    """Return a graph whose model picks the first good candidate, or grades good candidates 5 and others 1.

    Prompts that contain the text `lost` get no answer.
    """

    def script(prompt: Sequence[Message], seed: int, request_id: str) -> Item:
        text = "\n".join(message["content"] for message in prompt)
        if lost is not None and lost in text:
            return Fail("the server is away")
        candidates = _CANDIDATES.findall(text)
        if task == "pointwise":
            [(_, code, candidate)] = candidates
            verdict = "5" if good(candidate) else "1"
        else:
            code = candidates[0][1]
            verdict = next(label for label, _, candidate in candidates if good(candidate))
        return verdict if "answer_fast" in request_id else f"{code}: {verdict}"

    return build_graph(Settings(task=task), client=ScriptedClient(script), scorer=None)


def _distance(candidate: str, right: int) -> float:
    return abs(int(candidate) - right) if candidate.isdecimal() else float("inf")
