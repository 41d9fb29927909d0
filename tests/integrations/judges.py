"""A client that judges by rule: what a good candidate is, it sees from its text."""

import re
from collections.abc import Callable, Sequence

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.integrations.calling import Graph
from egrm_graph.settings import TaskName
from egrm_graph.verification import Message

_SHOWN = re.compile(r"\[candidate(?: (\w+))? ([0-9a-f]{8})\]\n(.*?)\n\[end of candidate", re.DOTALL)


def summing() -> Graph:
    """A graph of the task `best_of_n` whose model picks the candidate that is nearest to the sum that was asked for."""

    def script(prompt: Sequence[Message], seed: int, request_id: str) -> Item:
        text = "\n".join(message["content"] for message in prompt)
        [asked] = re.findall(r"\[question [0-9a-f]{8}\]\n([-+0-9]+)", text)
        right = sum(int(term) for term in re.findall("[+-]?[0-9]+", asked))
        shown = _SHOWN.findall(text)
        label, code, _ = min(shown, key=lambda each: (_distance(each[2], right), each[2]))
        return label if "answer_fast" in request_id else f"{code}: {label}"

    return build_graph(Settings(task="best_of_n"), client=ScriptedClient(script), scorer=None)


def judging(task: TaskName, good: Callable[[str], bool], *, lost: str | None = None) -> Graph:
    """A graph whose model picks the first good candidate, or gives the grade 5 to a good one and 1 to another.

    A prompt that has the text `lost` in it gets no answer.
    """

    def script(prompt: Sequence[Message], seed: int, request_id: str) -> Item:
        text = "\n".join(message["content"] for message in prompt)
        if lost is not None and lost in text:
            return Fail("the server is away")
        shown = _SHOWN.findall(text)
        if task == "pointwise":
            [(_, code, candidate)] = shown
            verdict = "5" if good(candidate) else "1"
        else:
            code = shown[0][1]
            verdict = next(label for label, _, candidate in shown if good(candidate))
        return verdict if "answer_fast" in request_id else f"{code}: {verdict}"

    return build_graph(Settings(task=task), client=ScriptedClient(script), scorer=None)


def _distance(candidate: str, right: int) -> float:
    return abs(int(candidate) - right) if candidate.isdecimal() else float("inf")
