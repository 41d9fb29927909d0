"""Measure ways to ask for fast answers: `python examples/studies/fast_replies.py FILE --model NAME --base-url URL`.

A fast answer is worth little if it cannot be read, or if it costs as much as reasoning. For each way, the study draws
all fast answers to all questions. It prints which share has no answer, how many tokens one takes, how often the
majority is right, how often the gate opens, so that the question is not reasoned about, and how often the majority is
right then. A way is a list of settings, such as `fast_reply=continued,fast_temperature=0.7`. Without `--way`, each form
of reply is asked for at temperature 1, and with the sampling of the model's card, which `--card` names.

No path is drawn. With `--draws`, all fast answers are saved in a folder, and never drawn again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from egrm_graph.benchmark.bench_methods import settings_in
from egrm_graph.benchmark.demo_methods import Texts, is_right
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.benchmark.question_sets import Choice, Levels, read_sets
from egrm_graph.clients.saved_draws import NOT_DRAWN, SavedDraws
from egrm_graph.context import Run
from egrm_graph.errors import EgrmError, InputError, SettingsError
from egrm_graph.intervals import Estimate, ratio, share
from egrm_graph.nodes.answer_fast import answer_fast
from egrm_graph.parts import Parts, assemble
from egrm_graph.settings import Settings, settings_from_environment
from egrm_graph.terminal.tables import Column, Table, standard_output
from egrm_graph.uncertainty.evidence import evidence_of

FORMS = ("free", "structured", "continued")
CARD = "fast_temperature=0.7,fast_top_p=0.8,fast_top_k=20"
FAST: Mapping[str, Any] = {"stopping": "all", "waves": 1, "label_probabilities": "never", "threshold": 0.8}
"""All fast answers are drawn, in one request. The gate is the published one."""


@dataclass(frozen=True)
class ReplyRow:
    """The figures of one way to ask. Questions whose fast answers are all lost count as wrong, and not as opened."""

    way: str
    questions: int
    lost: int
    """Fast answers that the model did not complete. They do not count as unreadable."""
    unreadable: Estimate | None
    """The share of fast answers without an answer; None if all are lost."""
    tokens: Estimate | None
    """Completion tokens of one fast answer."""
    majority_right: Estimate
    opened: Estimate
    """The share of questions at which the gate opens."""
    right_if_opened: Estimate | None
    """How often the majority is right among those; None if there are none."""


@dataclass(frozen=True)
class Asked:
    """The fast answers to one question."""

    texts: Texts
    n_lost: int
    n_tokens: int
    right: bool
    opened: bool


def ways_of(card: str) -> list[str]:
    """Each form of reply at temperature 1, and with the sampling of a model's card, if there is one."""
    samplings = ["fast_temperature=1", *([card] if card else [])]
    return [f"fast_reply={form},{sampling}" for form in FORMS for sampling in samplings]


async def ask(parts: Parts, question: BenchQuestion) -> Asked:
    """Draw the fast answers to a question.

    Raises:
        InputError: the question cannot be asked, or its draws are not saved and the model must not be asked.
    """
    run = Run(parts, parts.settings, lambda _: None, parts.client)
    drawn = (await answer_fast(question.input, run))["drawn"]  # type: ignore[arg-type] # the node reads only the input
    if undrawn := next((reason["text"] for reason in drawn["reasons"] if NOT_DRAWN in reason["text"]), None):
        raise InputError(f"{question.id}: {undrawn}")
    samples = drawn["samples"]
    evidence = evidence_of(samples, [], parts.task.same)
    texts = Texts.of(samples)
    return Asked(
        texts=texts,
        n_lost=len(samples) - texts.n,
        n_tokens=drawn["usage"]["completion_tokens"],
        right=is_right(parts, question, evidence.votes.top),
        opened=parts.gate(parts.settings).certain(evidence),
    )


async def measured(parts: Parts, way: str, questions: Sequence[BenchQuestion], concurrency: int) -> ReplyRow:
    """The row of one way to ask.

    Raises:
        SettingsError: a setting does not exist, or the model or the prompts do not support it.
    """
    settings = parts.settings.overridden({**FAST, **settings_in(way)})
    parts.check_settings(settings)
    own, slots = replace(parts, settings=settings), asyncio.Semaphore(concurrency)

    async def one(question: BenchQuestion) -> Asked:
        async with slots:
            return await ask(own, question)

    return row(way, await asyncio.gather(*map(one, questions)))


def row(way: str, asked: Sequence[Asked]) -> ReplyRow:
    """The figures of the questions."""
    right, opened = (np.array([getattr(one, name) for one in asked], dtype=bool) for name in ("right", "opened"))
    texts = [one.texts.n for one in asked]
    return ReplyRow(
        way=way,
        questions=len(asked),
        lost=sum(one.n_lost for one in asked),
        unreadable=ratio([one.texts.unreadable for one in asked], texts),
        tokens=ratio([one.n_tokens for one in asked], texts),
        majority_right=share(right),
        opened=share(opened),
        right_if_opened=share(right[opened]) if opened.any() else None,
    )


def table(rows: Sequence[ReplyRow]) -> Table:
    """A line for each way."""
    figures = ("unreadable", "tokens", "majority right", "gate opens", "right if it opens", "lost")
    made = Table("way", *(Column(heading, right=True) for heading in figures), title=f"{rows[0].questions:,} questions")
    for row in rows:
        tokens = row.tokens
        made.add_row(
            row.way,
            _percent(row.unreadable),
            "-" if tokens is None else f"{tokens.value:.1f} [{tokens.low:.1f}, {tokens.high:.1f}]",
            row.majority_right.percent(),
            row.opened.percent(),
            _percent(row.right_if_opened),
            str(row.lost),
        )
    return made


def _percent(share: Estimate | None) -> str:
    return "-" if share is None else share.percent()


async def study(options: argparse.Namespace, settings: Settings, err: Console) -> list[ReplyRow]:
    """A row for each way that the model and its prompts support.

    Raises:
        EgrmError: the questions or the model cannot be used, or no way is supported.
    """
    levels = None if options.levels is None else Levels.read(options.levels)
    questions = read_sets(options.questions, settings.task_name, Choice(levels, options.sample, options.sample_seed))
    parts = assemble(settings, scorer=None)
    rows: list[ReplyRow] = []
    try:
        if options.draws is not None:
            saved = SavedDraws(parts.client, options.draws, ask=not options.draws_only)
            parts = replace(parts, client=saved, closers=(saved.aclose, *parts.closers))
        await parts.check()
        for way in options.way or ways_of(options.card):
            with err.status(way):
                try:
                    rows.append(await measured(parts, way, questions, options.concurrency))
                except SettingsError as error:
                    err.print(f"{way}: {error}", markup=False, soft_wrap=True)
    finally:
        await parts.aclose()
    if not rows:
        raise SettingsError("no way to ask is supported; name others with --way")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("questions", nargs="+", help="files of questions, as for `egrm bench`, or held-out")
    parser.add_argument("--model", help="the model that the server serves (default: the bundled one)")
    parser.add_argument("--base-url", help="a vLLM server, such as http://localhost:8000/v1")
    parser.add_argument("--way", action="append", metavar="SETTING=VALUE,...", help="a way to ask; repeatable")
    parser.add_argument("--card", default=CARD, help=f"the sampling of the model's card (default {CARD})")
    parser.add_argument("--samples", type=int, default=5, help="fast answers per question (default 5)")
    parser.add_argument("--levels", help="use only questions of these levels, such as 1-3")
    parser.add_argument("--sample", type=int, help="use only this many questions of each file")
    parser.add_argument("--sample-seed", type=int, default=0, help="which ones to sample (default 0)")
    parser.add_argument("--concurrency", type=int, default=16, help="questions at once, at most (default 16)")
    parser.add_argument("--draws", type=Path, metavar="FOLDER", help="save all fast answers here, and reuse them")
    parser.add_argument("--draws-only", action="store_true", help="ask no model; only use saved draws")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    options = parser.parse_args()
    served = {"engine": "vllm", "model": options.model, "base_url": (options.base_url,)}
    err = Console(stderr=True, highlight=False)
    try:
        if (options.model is None) != (options.base_url is None):
            raise SettingsError("--model and --base-url belong together; give both or neither")
        if options.draws_only and options.draws is None:
            raise SettingsError("--draws-only needs --draws FOLDER")
        settings = settings_from_environment(samples=options.samples, **(served if options.base_url else {}))
        rows = asyncio.run(study(options, settings, err))
    except EgrmError as error:
        sys.exit(f"error: {error}")
    standard_output().print(table(rows))
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
