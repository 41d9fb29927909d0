"""The mixture that a generator is fine-tuned on: short samples where it is sure, and long ones elsewhere.

A question whose fast answers the gate finds certain, and whose answer is right, gives a short sample: the prompt for a
fast answer, and the answer. Any other question gives a long one: the prompt for a path, and its best-scored right path.
A question without a right path gives nothing. So the model learns from its own texts only, and only from right ones.

The control has the same questions and, as nearly as possible, the same number of completion tokens. But chance decides
which questions are short.

Source: stage 1 of E-GRM, arXiv:2604.10072, which splits the data by the model's own consensus.
Differs: where the model is certain and wrong, the published split teaches the wrong answer as a short sample. Here such
a question counts as long, and the report counts it separately.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal, NamedTuple

from egrm_graph.errors import InputError
from egrm_graph.fine_tuning.mixture_draws import DrawnText, MixtureDraw, Turns

SampleKind = Literal["short", "long"]
SampleId = str | int | float


class MixtureSample(NamedTuple):
    """One row of the mixture."""

    id: SampleId
    kind: SampleKind
    text: DrawnText

    @property
    def row(self) -> dict[str, SampleId | Turns]:
        """The row as TRL reads it, with its id and its kind."""
        return {
            "id": self.id,
            "kind": self.kind,
            "prompt": self.text["prompt"],
            "completion": self.text["completion"],
        }


class MixtureReport(NamedTuple):
    """What became of the questions."""

    questions: int
    """All that were drawn for."""
    certain: int
    """Those that the gate answers directly."""
    certain_but_wrong: int
    """Those of them whose answer is wrong. The published split would teach it."""
    short: int
    long: int
    long_certain_but_wrong: int
    """Long samples of questions that are certain and wrong."""
    without_right_path: int
    """Questions that are left out because no path is right."""
    short_tokens: int | None
    """Completion tokens of the short samples; None if the client does not report them."""
    long_tokens: int | None
    paths: int
    """All paths that were drawn."""
    right_paths: int
    drawn_tokens: int
    """Completion tokens of everything that was drawn."""


def mixture(draws: Sequence[tuple[SampleId, MixtureDraw]]) -> list[MixtureSample]:
    """The samples, in the order of the questions."""
    samples = [_sample(name, draw, kind) for name, draw in draws if (kind := kind_of(draw)) is not None]
    return [sample for sample in samples if sample is not None]


def kind_of(draw: MixtureDraw) -> SampleKind | None:
    """The kind of sample that a question gives; None if it gives none."""
    if draw["certain"] and draw["right"] and draw["short"]:
        return "short"
    return "long" if draw["long"] else None


def random_mixture(draws: Sequence[tuple[SampleId, MixtureDraw]], seed: int) -> list[MixtureSample]:
    """The control: the mixture's questions at about its number of completion tokens, short or long by chance.

    It begins with every question long that has a right path, and makes questions short in random order, where there is
    a right fast answer, until it has no more tokens than the mixture.

    Raises:
        InputError: paths were drawn only where the mixture needs them, or tokens are unknown.
    """
    wanted = mixture(draws)
    names = {sample.id for sample in wanted}
    found = {name: draw for name, draw in draws if name in names}
    if any(draw["paths"] is None for draw in found.values()):
        raise InputError("some questions have no paths to choose by chance; draw paths for all of them (--control)")
    control = {name: _sample(name, draw, "long") or _sample(name, draw, "short") for name, draw in found.items()}
    samples = [sample for sample in control.values() if sample]
    budget, tokens = _tokens(wanted), _tokens(samples)
    if budget is None or tokens is None:
        raise InputError("the client reports no token counts, so no control of the same size can be made")
    order = list(found)
    random.Random(seed).shuffle(order)
    for name in order:
        long, short = control[name], _sample(name, found[name], "short")
        if tokens > budget and long and short and long.kind == "long":
            tokens += (_tokens([short]) or 0) - (_tokens([long]) or 0)
            control[name] = short
    return [sample for sample in control.values() if sample]


def _sample(name: SampleId, draw: MixtureDraw, kind: SampleKind) -> MixtureSample | None:
    text = draw[kind]
    return None if text is None else MixtureSample(name, kind, text)


def _tokens(samples: Sequence[MixtureSample]) -> int | None:
    """Their completion tokens; None if a count is missing."""
    counts = [sample.text["n_tokens"] for sample in samples]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def report(draws: Sequence[tuple[SampleId, MixtureDraw]]) -> MixtureReport:
    """The counts of the mixture of these draws."""
    samples = mixture(draws)
    by_id = dict(draws)
    short = [sample for sample in samples if sample.kind == "short"]
    long = [sample for sample in samples if sample.kind == "long"]
    certain = [draw for _, draw in draws if draw["certain"]]
    return MixtureReport(
        questions=len(draws),
        certain=len(certain),
        certain_but_wrong=sum(not draw["right"] for draw in certain),
        short=len(short),
        long=len(long),
        long_certain_but_wrong=sum(by_id[sample.id]["certain"] and not by_id[sample.id]["right"] for sample in long),
        without_right_path=len(draws) - len(samples),
        short_tokens=_tokens(short),
        long_tokens=_tokens(long),
        paths=sum(draw["paths"] or 0 for _, draw in draws),
        right_paths=sum(draw["right_paths"] for _, draw in draws),
        drawn_tokens=sum(draw["completion_tokens"] for _, draw in draws),
    )
