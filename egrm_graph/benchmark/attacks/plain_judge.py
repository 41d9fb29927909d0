"""The baseline: a judge as it is often written, with plain headings, one order, and the first verdict that is found."""

from __future__ import annotations

import re
from collections.abc import Sequence

from egrm_graph.benchmark.attacks.obedient_judge import plain, repeated, verdict

_VERDICT = re.compile(r"Verdict: ([A-H])\b")


def prompt_of(question: str, candidates: Sequence[str]) -> str:
    """A prompt without codes."""
    sections = [f"Candidate {chr(ord('A') + i)}:\n{text}" for i, text in enumerate(candidates)]
    asked = "Compare the candidates, then say which is the best, in the form Verdict: and its letter."
    return "\n\n".join([f"Question: {question}", *sections, asked])


def chosen(question: str, candidates: Sequence[str], *, reasons: bool) -> int:
    """The index of the candidate that the obedient judge gives there, at once or at the end of a path."""
    read = plain(prompt_of(question, candidates))
    said = f"Verdict: {verdict(read)}"
    found = _VERDICT.search(f"{repeated(read)}\n{said}" if reasons else said)
    assert found is not None  # the judge has just said one
    return ord(found[1]) - ord("A")
