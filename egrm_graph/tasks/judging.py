"""The base of tasks that judge candidates: which are read, in which views a model sees them, and how they are weighed.

A verdict must not depend on the order in which candidates are passed in. Equal ones are judged once. The others are
put in an order that follows from their texts, and every view and every seed follows from that. Over all views each
candidate appears in each position equally often, or as nearly as their number allows: two candidates are always shown
in both orders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from egrm_graph.deciding.candidate_decision import Weighed, abstained, choose_candidate, nothing_to_compare, weigh
from egrm_graph.deciding.decision import Decision
from egrm_graph.deciding.findings import Findings
from egrm_graph.deciding.outcomes import TIE, outcome_names
from egrm_graph.errors import InputError
from egrm_graph.judgments.judgment import Judgment
from egrm_graph.messages.candidates import Candidate, canonical, merged, read_candidates
from egrm_graph.messages.fencing import code_of
from egrm_graph.messages.run_input import asked_alone, messages_of, question_of, reference_of, rubric_of, transcript
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.judging_format import EnglishFormat, JudgingFormat
from egrm_graph.tasks.task import Provided
from egrm_graph.uncertainty.votes import Votes, contested
from egrm_graph.verification import Judged, Subject, View, view_of


class Judging:
    """A task that judges candidates. A subclass sets what it asks for, and overrides what it does differently."""

    name: str
    least = 2
    """The fewest candidates."""
    most: int | None = None
    """The most candidates; None for as many as the format can show."""
    tie = False
    """Whether the model may say that no candidate is best."""
    converses = False
    """Whether the conversation is the question, and need not end with the user's turn."""
    orders = True
    """Whether candidates appear in several orders."""
    single_label = True
    """Whether a fast verdict is one of the labels, so that its probability can be read instead."""
    one_right_answer = False
    """Whether each input has one right answer, even without a reference; see the strategy `mixed`."""
    prompt_folder: Path | None = None
    """A folder with the task's prompts; None for the set that belongs to the format."""
    counts_every_vote = True  # a reward is a share of all votes

    variables: Mapping[str, Any] = {"context": "1+1", "candidates": ["2", "3"], "labels": ["A", "B", "C"], "code": "0"}

    def __init__(self, format: JudgingFormat | None = None) -> None:
        self.format: JudgingFormat = EnglishFormat() if format is None else format

    @property
    def prompts(self) -> str | Path:
        return self.prompt_folder or self.format.prompts(self.name)

    @property
    def provides(self) -> frozenset[Provided]:
        offers: dict[Provided, bool] = {"orders": self.orders, "readings": self._label_alone}
        return frozenset(name for name, offered in offers.items() if offered)

    @property
    def _label_alone(self) -> bool:
        return self.single_label and self.format.label_alone

    def ask(self, given: Mapping[str, Any], settings: RunSettings) -> Subject:
        """The candidates, and what to judge them by.

        Raises:
            InputError: there are too few candidates or too many, or nothing to judge them by.
        """
        question, conversation = self._question(given)
        candidates = self._candidates(given, settings)
        tools = given.get("tools")
        judged = self._judged(candidates, conversation, None if not tools else canonical(tools), given)
        reference = reference_of(given)
        said = [part for turn in conversation for part in turn]
        everything = [question, reference or "", *said, judged["tools"] or "", judged["rubric"] or ""]
        texts = sorted(judged["texts"][i] for i in judged["items"])
        key = _digest(self.name, *everything, *texts)
        judged["code"] = code_of([*everything, *texts])
        # The order follows from the texts, and from nothing that the author of one of them could foresee.
        judged["items"].sort(key=lambda i: _digest(key, candidates[i].key))
        return Subject(question=question, history=[], reference=reference, key=key, judged=judged)

    def views(self, subject: Subject, settings: RunSettings, n: int, among: Sequence[str] = ()) -> list[View]:
        """Rotations of the candidates; two are shown in both orders equally often."""
        judged = judged_of(subject)
        if not self.comparable(judged):
            return []
        names = outcome_names(judged)
        items = [i for i in judged["items"] if names[i] in among]
        items = items if len(items) >= 2 else list(judged["items"])
        n += n % 2 if len(items) == 2 else 0
        shifts: dict[int, int] = {}
        for v in range(n):
            shift = v % len(items) if n >= len(items) else v * len(items) // n
            shifts[shift] = shifts.get(shift, 0) + 1
        labels = self.format.labels(len(items), tie=self.tie)
        views = []
        for shift, samples in shifts.items():
            rotated = items[shift:] + items[:shift]
            order = tuple(names[i] for i in rotated)
            outcomes = self.outcomes(order, settings)
            texts = [judged["texts"][i] for i in rotated]
            views.append(self._view(subject, texts, labels, outcomes, samples, order=order))
        return views

    def read(self, text: str, view: View, *, fast: bool, complete: bool = True) -> str | None:
        """The outcome that the model's label means."""
        label = self.format.read(text, view, fast=fast, complete=complete)
        return None if label is None else view["outcomes"][view["labels"].index(label)]

    def read_judgment(self, text: str, view: View, *, complete: bool = True) -> Judgment:
        """The judgment in a path's text, with outcomes in place of labels."""
        judgment = self.format.read_judgment(text, view, complete=complete)
        renamed = judgment.renamed(dict(zip(view["labels"], view["outcomes"], strict=True)))
        return replace(renamed, verdict=self.read(text, view, fast=False, complete=complete))

    def context_view(self, subject: Subject, labels: Sequence[str] = (), outcomes: Sequence[str] = ()) -> View:
        """What the candidates are judged by, without the candidates. It has a code of its own, so that nothing written
        in this view can carry the one that signs verdicts."""
        judged = judged_of(subject)
        said = [part for turn in judged["conversation"] for part in turn]
        parts = [subject["question"], subject["reference"] or "", *said, judged["tools"] or "", judged["rubric"] or ""]
        code = code_of(parts)
        variables = self.format.variables(subject, {**judged, "code": code}, [], labels)
        return view_of(variables, 1, labels=labels, outcomes=outcomes, label_alone=self._label_alone, code=code)

    def same(self, one: str, other: str) -> bool:
        return one == other

    def contested(self, votes: Votes, settings: RunSettings) -> list[str]:
        return list(contested(votes, settings.contested_share, but=TIE))

    def graded(self, subject: Subject, view: View, text: str) -> tuple[str, str]:
        return self.format.graded(subject, view, text)

    def decide(self, findings: Findings) -> Decision:
        judged = judged_of(findings.asked)
        if not self.comparable(judged):
            return nothing_to_compare(judged, tie=self.tie, lost=findings.lost)
        weighed = weigh(findings, judged, lambda order: self.outcomes(order, findings.settings))
        if not weighed.shares:
            return abstained(judged, weighed.reasons, weighed.calibrated)
        return self.choose(judged, weighed, findings.settings)

    def comparable(self, judged: Judged) -> bool:
        """Whether a model has to be asked: not without enough different candidates that it can be shown."""
        return len(judged["items"]) >= self.least

    def outcomes(self, order: Sequence[str], settings: RunSettings) -> Sequence[str]:  # noqa: ARG002
        """The possible outcomes when candidates appear in this order."""
        return (*order, TIE) if self.tie else tuple(order)

    def choose(self, judged: Judged, weighed: Weighed, settings: RunSettings) -> Decision:  # noqa: ARG002
        """The decision, given the share of each outcome."""
        return choose_candidate(judged, weighed, tie=self.tie)

    def _view(
        self,
        subject: Subject,
        texts: Sequence[str],
        labels: Sequence[str],
        outcomes: Sequence[str],
        samples: int,
        *,
        order: Sequence[str] = (),
    ) -> View:
        judged = judged_of(subject)
        return view_of(
            self.format.variables(subject, judged, texts, labels),
            samples,
            labels=labels,
            outcomes=outcomes,
            order=order,
            label_alone=self._label_alone,
            code=judged["code"],
        )

    def _question(self, given: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
        """The question, and the conversation before it."""
        messages = messages_of(given)
        if self.converses:
            question = asked_alone(given)
        else:
            question, _ = question_of(given)
            messages = messages[:-1] if given.get("question") is None else messages
        if question is not None and not isinstance(question, str):
            raise InputError(f"the question has to be text, not {type(question).__name__}")
        question = self.format.check(question) if question else ""
        conversation = transcript(messages)
        if not question and not conversation:
            raise InputError("the input has nothing to judge by: pass 'question' or 'messages'")
        return question, conversation

    def _candidates(self, given: Mapping[str, Any], settings: RunSettings) -> list[Candidate]:
        if given.get("candidates") is None:
            raise InputError(f"the task {self.name} judges 'candidates'; pass a list of texts or messages")
        candidates = self._read_candidates(given["candidates"], settings)
        most = self.most or self.format.most_candidates
        if not self.least <= len(candidates) <= most:
            wanted = str(most) if most == self.least else f"{self.least} to {most}"
            raise InputError(f"the task {self.name} takes {wanted} candidates, not {len(candidates)}")
        return candidates

    def _read_candidates(self, given: Any, settings: RunSettings) -> list[Candidate]:  # noqa: ARG002
        return read_candidates(given)

    def _judged(
        self,
        candidates: Sequence[Candidate],
        conversation: list[tuple[str, str]],
        tools: str | None,
        given: Mapping[str, Any],
    ) -> Judged:
        displayed = [
            self.format.display(candidate.text) if candidate.unfit is None else ("", candidate.unfit)
            for candidate in candidates
        ]
        same_as = merged(candidates)
        return Judged(
            texts=[text for text, _ in displayed],
            unfit=[reason for _, reason in displayed],
            same_as=same_as,
            calls=[list(candidate.tools) for candidate in candidates],
            items=[i for i, first in enumerate(same_as) if first == i and displayed[i][1] is None],
            conversation=conversation,
            tools=tools,
            rubric=rubric_of(given),
            code="",
        )


def judged_of(subject: Subject) -> Judged:
    """The candidates of a subject that `Judging.ask` made."""
    judged = subject["judged"]
    assert judged is not None
    return judged


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
