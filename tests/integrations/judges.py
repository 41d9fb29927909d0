"""A client that judges by rule: what a good candidate is, it sees from its text."""

import re
from collections.abc import Callable, Sequence

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import Fail, Item, ScriptedClient
from egrm_graph.integrations.calling import Graph
from egrm_graph.settings import TaskName
from egrm_graph.verification import Message

_SHOWN = re.compile(r"\[candidate(?: (\w+))? ([0-9a-f]{8})\]\n(.*?)\n\[end of candidate", re.DOTALL)


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
