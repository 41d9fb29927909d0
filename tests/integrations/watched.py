"""A graph whose prompts are kept, and what they show between their fences."""

import re
from collections.abc import Sequence

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import Item, ScriptedClient
from egrm_graph.integrations.calling import Graph
from egrm_graph.verification import Message

_FENCED = re.compile(r"\[([a-z ]+) ([0-9a-f]{8})\]\n(.*?)\n\[end of \1 \2\]", re.DOTALL)


class Watched:
    """Grades everything 5, and keeps the prompts."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        settings = Settings(task="pointwise", samples=1)
        self.graph: Graph = build_graph(settings, client=ScriptedClient(self._grade), scorer=None)

    def shown(self) -> list[list[str]]:
        """Who says what in the last prompt: the conversation, the question, the reference, and the candidate."""
        return [[who, text] for who, _, text in _FENCED.findall(self.prompts[-1])]

    def _grade(self, prompt: Sequence[Message], seed: int, request_id: str) -> Item:
        self.prompts.append("\n".join(message["content"] for message in prompt))
        return "5"
