"""What the tasks that judge share: reading the candidates, and the views in which a model is shown them.

Decides: a verdict must not depend on the order in which candidates are handed in. Equal ones are judged once; the
others are brought into an order of their own, which follows from their texts, and every view and every seed follows
from that. Among the views each candidate stands in each place equally often, or as nearly as their number allows: two
candidates are always shown in both orders.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from egrm_graph.deciding.outcomes import TIE, outcome_names
from egrm_graph.errors import InputError
from egrm_graph.messages.candidates import Candidate, canonical, merged, read_candidates
from egrm_graph.messages.fencing import code_of
from egrm_graph.messages.run_input import asked_alone, messages_of, question_of, reference_of, rubric_of, transcript
from egrm_graph.settings import RunSettings
from egrm_graph.tasks.english import Dialect
from egrm_graph.tasks.task import View
from egrm_graph.verification import Judged, Subject


class Judging:
    """A task that judges candidates; each of those in the files beside this one says what it asks of them."""

    name: str
    least = 2
    """Candidates, at the least."""
    most: int | None = None
    """Candidates, at most; None: as many as the dialect can show."""
    tie = False
    """Whether the model may say that no candidate is the best."""
    converses = False
    """Whether the conversation is the question, and need not end with the user's."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    @property
    def prompts(self) -> str:
        return self.dialect.prompts(self.name)

    def ask(self, given: Mapping[str, Any], settings: RunSettings) -> Subject:
        """The candidates, and what they are to be judged by.

        Raises:
            InputError: there are too few candidates or too many, or nothing that they are judged by.
        """
        question, conversation = self._question(given)
        candidates = self._candidates(given, settings)
        tools = given.get("tools")
        judged = self._judged(candidates, conversation, None if not tools else canonical(tools), given)
        judged = self._set_up(judged, settings)
        reference = reference_of(given)
        said = [part for each in conversation for part in each]
        everything = [question, reference or "", *said, judged["tools"] or "", judged["rubric"] or ""]
        texts = sorted(judged["texts"][i] for i in judged["items"])
        key = _digest(self.name, *everything, *texts)
        judged["code"] = code_of([*everything, *texts])
        # An order that follows from the texts, and from nothing that the writer of one of them could foresee.
        judged["items"].sort(key=lambda i: _digest(key, candidates[i].key))
        return Subject(question=question, history=[], reference=reference, key=key, judged=judged)

    def views(self, subject: Subject, n: int, among: Sequence[str] = ()) -> list[View]:
        """Rotations of the candidates; two are shown in both orders equally often."""
        judged = _judged(subject)
        names = outcome_names(judged)
        items = [i for i in judged["items"] if names[i] in among]
        items = items if len(items) >= 2 else list(judged["items"])
        n += n % 2 if len(items) == 2 else 0
        shifts: dict[int, int] = {}
        for v in range(n):
            shift = v % len(items) if n >= len(items) else v * len(items) // n
            shifts[shift] = shifts.get(shift, 0) + 1
        labels = self.dialect.labels(len(items), tie=self.tie)
        views = []
        for shift, samples in shifts.items():
            shown = items[shift:] + items[:shift]
            order = tuple(names[i] for i in shown)
            outcomes = (*order, TIE) if self.tie else order
            view = self._view(subject, [judged["texts"][i] for i in shown], labels, outcomes, samples)
            views.append(replace(view, order=order))
        return views

    def read(self, text: str, view: View, *, fast: bool, complete: bool = True) -> str | None:
        """The outcome that the model's label stands for."""
        label = self.dialect.read(text, view, fast=fast, complete=complete)
        return None if label is None else view.outcomes[view.labels.index(label)]

    def graded(self, subject: Subject, view: View, text: str) -> tuple[str, str]:
        return self.dialect.graded(subject, view, text)

    def same(self, one: str, other: str) -> bool:
        return one == other

    def _view(
        self, subject: Subject, texts: Sequence[str], labels: tuple[str, ...], outcomes: tuple[str, ...], samples: int
    ) -> View:
        judged = _judged(subject)
        variables = self.dialect.variables(subject, judged, texts, labels)
        return View(
            variables,
            samples,
            labels=labels,
            outcomes=outcomes,
            label_alone=self.dialect.label_alone,
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
            raise InputError(f"the question has to be a text, not {type(question).__name__}")
        question = self.dialect.check(question) if question else ""
        conversation = transcript(messages)
        if not question and not conversation:
            raise InputError("there is nothing to judge by: give 'question', or 'messages'")
        return question, conversation

    def _candidates(self, given: Mapping[str, Any], settings: RunSettings) -> list[Candidate]:
        if given.get("candidates") is None:
            raise InputError(f"the task {self.name} judges 'candidates'; give a list of texts or messages")
        candidates = self._read_candidates(given["candidates"], settings)
        most = self.most or self.dialect.most_candidates
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
        shown = [self.dialect.shown(each.text) if each.unfit is None else ("", each.unfit) for each in candidates]
        same_as = merged(candidates)
        return Judged(
            texts=[text for text, _ in shown],
            unfit=[reason for _, reason in shown],
            same_as=same_as,
            calls=[list(each.tools) for each in candidates],
            items=[i for i, stands in enumerate(same_as) if stands == i and shown[i][1] is None],
            grades=[],
            tie=self.tie,
            by_name=False,
            conversation=conversation,
            tools=tools,
            rubric=rubric_of(given),
            code="",
        )

    def _set_up(self, judged: Judged, settings: RunSettings) -> Judged:  # noqa: ARG002
        """For tasks that the settings say more about."""
        return judged


def undecided(judged: Judged | None) -> bool:
    """Whether a model has to be asked: not where there are no two different candidates to compare."""
    return judged is None or len(judged["items"]) >= (1 if judged["grades"] else 2)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _judged(subject: Subject) -> Judged:
    judged = subject["judged"]
    assert judged is not None  # made by `ask` of this class
    return judged
