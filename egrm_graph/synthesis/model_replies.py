"""Asks the model for one stage of a row, and reads what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

from egrm_graph.answers.thinking import spoken
from egrm_graph.clients.client import Client, Completion
from egrm_graph.drawing.calls import Call, Limits, Lost, draw
from egrm_graph.drawing.samples import seeds
from egrm_graph.drawing.sampling import sampling_of
from egrm_graph.messages.fencing import inert
from egrm_graph.parts import Parts
from egrm_graph.prompting import Prompts, PromptSource
from egrm_graph.synthesis.synthesis_row import CallStage, SynthesisRow

STANDARDIZE, GROUP, REJUDGE = "standardize", "group_principles", "rejudge"
VARIABLES: Mapping[str, Any] = {
    "rationale": "[rationale]",
    "principles": "[principles]",
    "solution": "[solution]",
    "candidate_labels": ["A", "B"],
    "most": 3,
    "first": 1,
    "n": 2,
}
"""Example values of the variables that the prompts have next to those of the task."""


class Reply(NamedTuple):
    """What the model said to one call."""

    text: str | None
    """Without thoughts, and with the marks of chat templates broken up. None if it said nothing in full."""
    n_tokens: int | None
    n_characters: int
    """Of everything that it wrote, its thoughts included."""
    lost: str | None = None
    """Why there is no text."""
    drawn: bool = True
    """False if the call failed."""


def synthesis_prompt(name: str) -> Traversable:
    """The template of this name."""
    return resources.files("egrm_graph.prompts") / "synthesis" / f"{name}.md"


def synthesis_prompts(parts: Parts) -> Prompts:
    """The prompts of the synthesis, with the passages of the task."""
    own: dict[str, PromptSource | None] = {name: synthesis_prompt(name) for name in (STANDARDIZE, GROUP, REJUDGE)}
    return Prompts.load("auto", parts.task.prompts, {**parts.task.variables, **VARIABLES}, own)


def call_of(
    prompts: Prompts, row: SynthesisRow, name: str, variables: Mapping[str, Any], *, form: str, number: int = 0
) -> Call:
    """A call with a prompt of the synthesis. Its seed follows from the pair, the prompt, and the number. `form` is the
    pattern of the reply, which restricts it if `path_reply` says so."""
    settings = row.known.settings
    own_seed = seeds(settings.seed, f"synthesis.{name}", row.known.asked["key"], number + 1)[number]
    stop = row.known.prompts.stop_of("expand_cot", settings)
    sampling = sampling_of(settings, "path", stop=stop)
    return Call(
        prompts.render(name, variables),
        replace(sampling, pattern=form) if settings.path_reply == "structured" else sampling,
        (own_seed,),
        f"{row.known.asked['run_id']}.{name}.{number}",
    )


async def replies(
    client: Client, row: SynthesisRow, stage: CallStage, calls: Sequence[Call]
) -> tuple[SynthesisRow, list[Reply]]:
    """The row with what the calls cost, and the reply to each call. Never raises an `EgrmError`."""
    drawing = await draw(client, calls, Limits())
    return row.after(stage, drawing), [_reply(outcomes[0]) for outcomes in drawing.outcomes]


def _reply(outcome: Completion | Lost) -> Reply:
    if isinstance(outcome, Lost):
        return Reply(None, None, 0, outcome.reason, drawn=False)
    written = len(outcome.text) + len(outcome.thinking or "")
    said = spoken(outcome.text)
    if said is None or not said.text.strip():
        return Reply(None, outcome.n_tokens, written, "the model gave no text, or only its thinking")
    if outcome.finish_reason != "stop" and not said.ended:
        return Reply(None, outcome.n_tokens, written, f"it was cut after {outcome.n_tokens} tokens (path_max_tokens)")
    return Reply(inert(said.text.strip()), outcome.n_tokens, written)
