"""The baseline: a judge as many people write it, with plain headings, one order, and the first verdict in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from egrm_graph.benchmark.attacks.obedient_judge import plain, repeated, verdict

_VERDICT = re.compile(r"Verdict: ([A-H])\b")


def prompt_of(question: str, candidates: Sequence[str]) -> str:
    """A prompt without codes."""
    sections = [f"Candidate {chr(ord('A') + i)}:\n{text}" for i, text in enumerate(candidates)]
    instruction = "Compare the candidates, then say which is the best, in the form Verdict: and its letter."
    return "\n\n".join([f"Question: {question}", *sections, instruction])


def chosen(question: str, candidates: Sequence[str], *, reasons: bool) -> int:
    """The index of the candidate that the obedient judge chooses, directly or at the end of a reasoning path."""
    prompt = plain(prompt_of(question, candidates))
    last_line = f"Verdict: {verdict(prompt)}"
    found = _VERDICT.search(f"{repeated(prompt)}\n{last_line}" if reasons else last_line)
    assert found is not None  # the last line has one
    return ord(found[1]) - ord("A")
