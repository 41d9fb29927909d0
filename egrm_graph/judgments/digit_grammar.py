"""The grammar of a judgment by the bundled mixed judge, read:

    n30471=5,8812=4B;d3+0=3+4=7+7=14+1=15,8+8=16+1=17+2=19B;e04=2,882=3B;u30471=5,812=3A;r47=2,2=1A;B
    >47+30=77;77+8=85;85-6=79;#79A;A

A semicolon ends each part. A unit is a principle's letter, its judgment, and a sub-verdict: `M` favors neither. Parts
before the units are a derivation, which `>` introduces. A prompt may have written the first character of the reply:
then the text lacks it, and the form of the parts says what it was. The last part is the verdict.

The model's alphabet is the fence: a candidate has digits and `#` alone, so none can hold a sub-verdict or a verdict.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from egrm_graph.judgments.judgment import MIXED, Judgment, Unit

NEITHER = "M"
"""The sub-verdict, or the verdict, that favors neither candidate."""
PRINCIPLES: Mapping[str, tuple[str, str]] = {
    "n": ("shorter", "The shorter string of digits is better."),
    "d": ("larger digit sum", "The string with the larger sum of its digits is better."),
    "e": ("more even digits", "The string with more even digits is better."),
    "u": ("more distinct digits", "The string with more distinct digits is better."),
    "r": ("more rises", "The string with more digits that are larger than the one before is better."),
    "#": ("right answer", "The answer has to equal the one derived."),
}
"""The name and the rule of each principle, by its letter."""

_LISTED = re.compile(r"[0-9]+=[0-9]+,[0-9]+=[0-9]+")
_VERDICT = re.compile(r"(?:.*[;,])?(.)", re.DOTALL)


def read_digit_judgment(text: str, labels: Sequence[str]) -> Judgment:
    """The judgment in a text, for which these labels are verdicts. A part that is not a unit is lost."""
    *parts, last = text.removeprefix(">").split(";")
    units: list[Unit] = []
    steps: list[str] = []
    lost: list[str] = []
    for i, part in enumerate(parts):
        unit = _unit(part, first=i == 0 and not text.startswith(">"))
        if unit is not None:
            units.append(unit)
        elif units:
            lost.append(f"{part[:60]!r} is lost: it is not a principle's letter, a judgment, and a sub-verdict")
        else:
            steps.append(part)
    derived = text.startswith(">") or bool(units and "=" not in units[0].judgment)
    if steps and not derived:
        lost[:0] = [f"{part[:60]!r} is lost: no unit quotes it" for part in steps]
    verdict = digit_verdict(text, labels)
    if verdict is None and last:
        lost.append(f"{last[:60]!r} is lost: it is not one of the verdicts {', '.join(labels)}")
    return Judgment(";".join(steps) if steps and derived else None, tuple(units), tuple(lost), verdict)


def digit_verdict(text: str, labels: Sequence[str]) -> str | None:
    """The verdict after the last semicolon or comma, if that is one of the labels."""
    found = _VERDICT.fullmatch(text)
    return found[1] if found and found[1] in labels else None


def _unit(part: str, *, first: bool) -> Unit | None:
    """The unit in a part; None if it is not one. The first part may lack its letter."""
    sub_verdict = part[-1:]
    if sub_verdict not in ("A", "B", NEITHER):
        return None
    letter, judgment = part[:1], part[1:-1]
    if first and _LISTED.fullmatch(part[:-1]):
        letter, judgment = "n", part[:-1]
    if letter not in PRINCIPLES or not judgment:
        return None
    principle, rule = PRINCIPLES[letter]
    return Unit(principle, rule, judgment, MIXED if sub_verdict == NEITHER else sub_verdict)
