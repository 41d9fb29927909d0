"""A judge that records its prompts, and a reader for the fenced texts in them."""

import re
from collections.abc import Sequence

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import Item, ScriptedClient
from egrm_graph.integrations.graph_calls import Graph
from egrm_graph.verification import Message

_FENCED = re.compile(r"\[([a-z ]+) ([0-9a-f]{8})\]\n(.*?)\n\[end of \1 \2\]", re.DOTALL)


class RecordingJudge:
    """Gives every candidate the grade 5, and records the prompts."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        settings = Settings(task="pointwise", samples=1)
        self.graph: Graph = build_graph(settings, client=ScriptedClient(self._grade), scorer=None)

    def last_prompt(self) -> list[list[str]]:
        """Return the fenced texts of the last prompt: conversation, question, reference, and candidate."""
        return [[name, text] for name, _, text in _FENCED.findall(self.prompts[-1])]

    def _grade(self, prompt: Sequence[Message], seed: int, request_id: str) -> Item:
        self.prompts.append("\n".join(message["content"] for message in prompt))
        return "5"
