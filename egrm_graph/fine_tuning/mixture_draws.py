"""Draws what a generator learns from: for each question its fast answers and, where these do not suffice, its paths.

All of it is drawn by the nodes of the graph, with the same prompts, gate, and scorer as in use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, cast

from typing_extensions import TypedDict

from egrm_graph.clients.client import ContinuesPrompt, prompt_text
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.fine_tuning.question_draws import draw_and_score, draw_fast
from egrm_graph.parts import Parts
from egrm_graph.prompting import FAST_PROMPT
from egrm_graph.reasons import texts
from egrm_graph.strategies.strategy import NODE
from egrm_graph.verification import Message, Path, Sample, View

Turns: TypeAlias = str | list[Message]
"""A prompt or a completion in one of TRL's forms: plain text, or messages."""


class DrawnText(TypedDict):
    """A right completion that the generator wrote, in TRL's form."""

    prompt: Turns
    completion: Turns
    n_tokens: int | None
    score: float | None
    """The scorer's score of a path; None for a fast answer, and without a scorer."""


class MixtureDraw(TypedDict):
    """What was drawn for one question."""

    question: str
    reference: str
    certain: bool
    """Whether the gate would answer directly."""
    right: bool
    """Whether the most frequent fast answer is right."""
    short: DrawnText | None
    """The first right fast answer; None if there is none."""
    long: DrawnText | None
    """The best-scored right path; None if there is none, or if no paths were drawn."""
    paths: int | None
    """How many paths were drawn; None if none were needed."""
    right_paths: int
    lost: int
    """Fast answers and paths that could not be drawn."""
    reasons: list[str]
    completion_tokens: int


def mixture_parts(parts: Parts) -> Parts:
    """The parts to draw with: all paths of a question are drawn, unless the settings name a rule that stops.

    Raises:
        SettingsError: the settings are not for questions, or not for independent paths.
    """
    if "orders" in parts.task.provides:
        raise SettingsError(
            f"the task {parts.task.name!r} judges candidates, and a generator answers questions; set task (--task) to "
            "answer or arithmetic"
        )
    if parts.settings.strategy != "plain":
        raise SettingsError(
            f"strategy={parts.settings.strategy!r} (--strategy) draws paths that depend on each other, and a generator "
            "learns independent ones; set it to plain"
        )
    stopping = "all" if parts.settings.path_stopping == "auto" else parts.settings.path_stopping
    settings = parts.settings.overridden({"path_stopping": stopping})
    return replace(parts, settings=settings.model_copy(update={"trace_level": "off", "telemetry": "off"}))


async def draw_for_mixture(parts: Parts, inputs: Mapping[str, Any], *, every_path: bool = False) -> MixtureDraw:
    """Draw fast answers for a question with a reference, and paths unless these are certain and right.

    `every_path` draws the paths in any case. `inputs` is the input of the graph.

    Raises:
        InputError: the question cannot be asked or has no reference, or the server returns thinking separately.
    """
    reference = parts.task.ask(inputs, parts.settings)["reference"]
    if reference is None:
        raise InputError("the line has no 'reference', which decides what is right; add the correct answer")
    fast = await draw_fast(parts, inputs)
    drawn, view = fast.drawn, fast.drawn["views"][0]
    right = fast.answer is not None and parts.task.same(fast.answer, reference)
    found = await draw_and_score(parts, fast) if every_path or not (fast.certain and right) else None
    paths = [] if found is None else found.paths
    stages = [drawn] if found is None else [drawn, found.expanded]
    right_paths = _right(parts, paths, reference)
    short, long = _best(_right(parts, drawn["samples"], reference)), _best(right_paths)
    return MixtureDraw(
        question=fast.state["asked"]["question"],
        reference=reference,
        certain=fast.certain,
        right=right,
        short=None if short is None else _text(parts, FAST_PROMPT, view, short),
        long=None if long is None else _text(parts, NODE, view, long),
        paths=None if found is None else len(paths),
        right_paths=len(right_paths),
        lost=sum(sample["error"] is not None for sample in (*drawn["samples"], *paths)),
        reasons=texts([reason for stage in stages for reason in stage["reasons"]]),
        completion_tokens=sum(stage["usage"]["completion_tokens"] for stage in stages),
    )


def _right(parts: Parts, samples: Sequence[Sample | Path], reference: str) -> list[Sample | Path]:
    """The samples whose answer is right. A cut one is not among them: it does not end as the model should end."""
    return [
        sample
        for sample in samples
        if sample["answer"] is not None
        and sample["finish_reason"] == "stop"
        and parts.task.same(sample["answer"], reference)
    ]


def _best(right: Sequence[Sample | Path]) -> Sample | Path | None:
    """The best-scored one, and the first one of equals. One without a score is chosen only if none has a score."""
    scores = [(score, sample) for sample in right if (score := _score(sample)) is not None]
    if scores:
        return max(scores, key=lambda scored: scored[0])[1]
    return right[0] if right else None


def _score(sample: Sample | Path) -> float | None:
    return cast("float | None", sample.get("score"))


def _text(parts: Parts, prompt: str, view: View, sample: Sample | Path) -> DrawnText:
    """The sample with its prompt, as the model should learn it: with the start of the reply, if the prompt has one."""
    if sample["thinking"]:
        raise InputError(
            "the server returns the model's thinking separately, and a text to learn from needs it in place; set "
            "path_thinking (--path-thinking) to off, or start the server without its reasoning parser"
        )
    messages, text = parts.prompts.render(prompt, view["variables"], view["history"]), sample["text"] or ""
    written: tuple[Turns, Turns] = messages, [Message(role="assistant", content=text)]
    if isinstance(parts.client, ContinuesPrompt) and parts.client.continues_prompt:
        start = parts.prompts.reply_of(prompt, view["variables"]).start
        started = [Message(role="assistant", content=start)] if start and text.startswith(start) else []
        written = prompt_text([*messages, *started], "\n").removesuffix(start if started else ""), text
    return DrawnText(prompt=written[0], completion=written[1], n_tokens=sample["n_tokens"], score=_score(sample))
