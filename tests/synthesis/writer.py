"""A scripted model that writes what each stage asks for, and a way to run pairs through it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from egrm_graph import Settings
from egrm_graph.clients.client import Client
from egrm_graph.clients.scripted import Item, ScriptedClient
from egrm_graph.fine_tuning.judged_pairs import JudgedPair
from egrm_graph.judgments.judgment import Judgment, Unit
from egrm_graph.judgments.judgment_grammar import write_judgment
from egrm_graph.parts import assemble
from egrm_graph.synthesis.pair_synthesis import Synthesis, SynthesizedPair
from egrm_graph.verification import Message

PAIR = JudgedPair(question="What is 17+48?", candidates=("It is 65.", "It is 66."), reference="A", domain="correctness")
BOOKS = JudgedPair(
    question="Name a book for a flight.",
    candidates=("Middlemarch.", "A dictionary."),
    reference="A",
    domain="preference",
)


def unit(principle: str, sub_verdict: str, judgment: str = "The first is better.") -> Unit:
    return Unit(principle, f"Have {principle.lower()}.", judgment, sub_verdict)


AGAINST_THE_SOLUTION = Judgment(None, (unit("Tone", "A", 'The solution has "65".'),), (), "A")


@dataclass
class Writer:
    """Replies by stage. Units, groups, and a judgment are signed with the prompt's code; other items are unchanged."""

    verdicts: Sequence[str] = ("A", "A")
    """Of the rationales."""
    units: Sequence[tuple[Unit, ...] | Item] = (
        (unit("Tone", "A"), unit("Length", "B")),
        (unit("Tone", "A"), unit("Truth", "A")),
    )
    groups: tuple[str, ...] | Item = ("3=1, 4=4",)
    solution: Item = "17+48=65"
    depth: Judgment | Item = AGAINST_THE_SOLUTION
    reply: Item = "A"
    reasoning: str = "Candidate A is good."
    prompts: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, prompt: Sequence[Message], seed: int, request_id: str) -> Item:
        name, number = request_id.split(".", 1)[1].rsplit(".", 1)
        text = prompt[-1]["content"]
        self.prompts.setdefault(name, []).append(text)
        code = re.findall(r"\[end of [\w ]+ ([0-9a-f]{8})\]", text)[-1]
        return self.reply_to(name, int(number), code)

    def reply_to(self, name: str, number: int, code: str) -> Item:
        if name == "expand_cot":
            return f"{self.reasoning}\n{code}: {self.verdicts[number]}"
        if name == "standardize":
            own = self.units[number]
            return write_judgment(Judgment(None, own, (), None), code, "AB") if isinstance(own, tuple) else own
        if name == "group_principles":
            listed = self.groups
            return "\n".join(f"{code}: {line}" for line in listed) if isinstance(listed, tuple) else listed
        if name == "rejudge":
            return write_judgment(self.depth, code, "ABC") if isinstance(self.depth, Judgment) else self.depth
        return self.solution if name == "solve" else self.reply


def synthesis(
    client: Client, style: Any = "breadth", *, settings: Mapping[str, Any] | None = None, **options: Any
) -> Synthesis:
    chosen = Settings(**{"task": "pairwise", "model": "mine", "label_probabilities": "never", **(settings or {})})
    return Synthesis.of(assemble(chosen, client, scorer=None), style, **options)


async def synthesized(
    writer: Any, pair: JudgedPair = PAIR, style: Any = "breadth", number: int = 0, **options: Any
) -> tuple[SynthesizedPair, ScriptedClient]:
    client = ScriptedClient(writer)
    return await synthesis(client, style, **options).synthesize(pair, number), client


def stages(client: ScriptedClient) -> list[str]:
    """The name of each call, without numbers."""
    return [call.request_id.split(".", 1)[1].rsplit(".", 1)[0] for call in client.calls]


def causes(made: SynthesizedPair) -> list[tuple[str, str]]:
    return [(loss["stage"], loss["cause"]) for loss in made["losses"]]
