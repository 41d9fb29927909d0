"""Decide many recorded runs again and count the changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from egrm_graph.errors import InputError
from egrm_graph.records.record import Record
from egrm_graph.replay.decide_again import ReplayDecision, as_recorded, decide_again, same_answers
from egrm_graph.verification import Asked


@dataclass(frozen=True)
class Replayed:
    """A run as recorded and as decided again."""

    run_id: str
    question: str
    before: ReplayDecision
    after: ReplayDecision
    right_before: bool | None
    """None without a reference or an answer, and for judged candidates."""
    right_after: bool | None

    @property
    def changed(self) -> bool:
        """Whether the route, answer, or winner is known to differ."""
        route = self.after.route is not None and self.after.route != self.before.route
        known = self.after.undecided is None
        outcome = (self.before.answer, self.before.winner) != (self.after.answer, self.after.winner)
        return route or (known and outcome)


@dataclass
class ReplayTally:
    """Counts of replayed runs."""

    runs: int = 0
    no_verdict: int = 0
    """Runs without a verdict, which cannot be decided again."""
    undecided: int = 0
    """Runs whose route or answer depends on what was not drawn."""
    changed: int = 0
    reasoned_before: int = 0
    reasoned_after: int = 0
    route_unknown: int = 0
    referenced: int = 0
    """Decided runs with a reference. `right_before` and `right_after` count among these."""
    right_before: int = 0
    right_after: int = 0

    def add(self, replayed: Replayed) -> None:
        before, after = replayed.before, replayed.after
        self.runs += 1
        self.undecided += after.undecided is not None
        self.changed += replayed.changed
        self.reasoned_before += before.route == "reasoned"
        self.reasoned_after += after.route == "reasoned"
        self.route_unknown += after.route is None
        if after.undecided is None and replayed.right_before is not None and replayed.right_after is not None:
            self.referenced += 1
            self.right_before += replayed.right_before
            self.right_after += replayed.right_after


def replayed(records: Iterable[Record], changes: Mapping[str, Any], tally: ReplayTally) -> Iterator[Replayed]:
    """Decide each run with a verdict again, and count all runs in `tally`.

    Raises:
        SettingsError: A setting cannot change.
    """
    for record in records:
        verification, asked = record["verification"], record["asked"]
        if verification is None or asked is None:
            tally.no_verdict += 1
            continue
        before, after = as_recorded(verification), decide_again(record, changes)
        one = Replayed(
            run_id=record["run_id"],
            question=asked["question"],
            before=before,
            after=after,
            right_before=_right(record, asked, before.answer),
            right_after=_right(record, asked, after.answer),
        )
        tally.add(one)
        yield one


def _right(record: Record, asked: Asked, answer: str | None) -> bool | None:
    if asked["reference"] is None or asked["judged"] is not None:
        return None
    return answer is not None and same_answers(record)(answer, asked["reference"])


def replay_one(record: Record, changes: Mapping[str, Any]) -> Replayed:
    """Decide one run again.

    Raises:
        InputError: It has no verdict.
        SettingsError: A setting cannot change.
    """
    for one in replayed([record], changes, ReplayTally()):
        return one
    raise InputError(f"run {record['run_id']} has no verdict ({record['ending']}), so it cannot be decided again")
