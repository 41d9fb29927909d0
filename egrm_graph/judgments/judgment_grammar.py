"""The grammar of a judgment in English, read and written:

    ### 3f2a91c0 Solution
    17+48=65, and 65-9=56.

    ### 3f2a91c0 1. Principle of Correctness: The result has to be right.
    Judgment: The solution gives 56. Candidate A says "56", and candidate B says "57".
    3f2a91c0 Sub-Verdict: A

    3f2a91c0: A

Each line that gives the judgment its structure is signed with the item's code, which no candidate can know; the lines
between belong to the part above them. So what a judgment quotes never adds, renames, or ends a unit, nor gives it
another sub-verdict. A part that cannot be read is lost, with a reason, and changes nothing about the others.

Source: the shape of a unit, Mix-GRM, arXiv:2603.01571. Differs: it signs nothing, and puts the solution in the first
unit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from egrm_graph.judgments.judgment import MIXED, Judgment, Unit

_MARKUP = r"[\s*_`\"'()\[\].:#>-]*"
_HEADING = rf"\d{{1,3}}[.):]{_MARKUP}(?:Principle(?: of)?\b[\s:*_]*)?(?P<principle>.+)"
_SUB_VERDICT = r"Sub[- ]?Verdict\b(?P<sub_verdict>.*)"
_SOLUTION = rf"(?P<solution>Solution){_MARKUP}"
_EDGES = " \t*_`"
_NAME = r"[^\s*_`:\[][^\n:]{2,}"
_RULE = r"[^\s*_`\[][^\n]{9,}"
_TEXT = r"[^\s*_`\[][^\n]{19,}"
"""What a unit may have on one line, at least so long that a label or a copied placeholder is not enough."""
_LINE_OF_SOLUTION = r"[^\s#][^\n]*"
_JUDGMENT = re.compile(r"\A\**Judgment(?::\**|\**:)\s*", re.IGNORECASE)


@dataclass
class _Open:
    """A part that is being read: a unit, the solution, or nothing that counts."""

    kind: str
    principle: str = ""
    rule: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip()


def read_judgment(text: str, code: str, labels: Sequence[str]) -> Judgment:
    """The judgment in a text. Its verdict is the one in its last line.

    Raises:
        ValueError: the code is empty.
    """
    reader = _Reader(code, labels)
    for line in text.replace("\r\n", "\n").strip().split("\n"):
        reader.take(line)
    reader.end()
    return Judgment(reader.solution, tuple(reader.units), tuple(reader.lost), reader.verdict)


def write_judgment(judgment: Judgment, code: str, labels: Sequence[str]) -> str:
    """The text of a judgment, for which the judge may say these labels. What was lost is not part of it.

    Raises:
        ValueError: the code is empty; or the text would be read as something else, because a label is not one of
            these, or a part is empty, contains a signed line, or has a line break or a colon where there may be none.
    """
    parts = [] if judgment.solution is None else [f"### {code} Solution\n{judgment.solution}"]
    for k, unit in enumerate(judgment.units, start=1):
        parts.append(
            f"### {code} {k}. Principle of {unit.principle}: {unit.rule}\n"
            f"Judgment: {unit.judgment}\n{code} Sub-Verdict: {unit.sub_verdict}"
        )
    if judgment.verdict is not None:
        parts.append(f"{code}: {judgment.verdict}")
    text = "\n\n".join(parts)
    if (read := read_judgment(text, code, labels)) != replace(judgment, lost=()):
        raise ValueError(f"the judgment cannot be written: {judgment!r} would be read as {read!r}")
    return text


def verdict_pattern(code: str, labels: Sequence[str], most: int) -> str:
    """A regular expression for texts of at most `most` lines, the first of which is not empty, and a signed verdict.

    Without a limit, a model that ends its reasoning without a verdict writes on until it is cut.
    """
    return rf"[^\n]{{20,}}\n([^\n]*\n){{0,{most - 1}}}{re.escape(code)}: {_one_of(labels)}"


def judgment_pattern(
    code: str, labels: Sequence[str], most: int, *, may_solve: bool = False, verdict: bool = True
) -> str:
    """A regular expression for judgments of one to `most` units, each on three lines, which are read without a loss.

    With `may_solve`, a solution may stand before the units. Without `verdict`, nothing stands after them.
    """
    own, units = re.escape(code), ""
    for k in range(most, 0, -1):
        unit = (
            rf"### {own} {k}\. Principle of {_NAME}: {_RULE}\nJudgment: {_TEXT}\n"
            rf"{own} Sub-Verdict: {_one_of([*labels, MIXED])}\n\n"
        )
        units = f"{unit}({units})?" if units else unit
    solution = rf"(### {own} Solution\n({_LINE_OF_SOLUTION}\n+)+)?" if may_solve else ""
    return f"{solution}{units}" + (rf"{own}: {_one_of(labels)}" if verdict else "")


def _one_of(labels: Sequence[str]) -> str:
    return f"({'|'.join(map(re.escape, labels))})"


class _Reader:
    """Reads a judgment line by line."""

    def __init__(self, code: str, labels: Sequence[str]) -> None:
        if not code:
            raise ValueError("a judgment is signed with a code; pass the code of the view")
        self.solution: str | None = None
        self.units: list[Unit] = []
        self.lost: list[str] = []
        self.verdict: str | None = None
        self._code = code
        self._labels = (*labels, MIXED)
        self._open = _Open("nothing")
        self._begun = 0
        """How many units have begun."""
        signed = f"{_MARKUP}{re.escape(code)}{_MARKUP}"
        label = "|".join(re.escape(label) for label in sorted(labels, key=len, reverse=True)) or "(?!)"
        self._verdict = re.compile(f"{signed}({label}){_MARKUP}")
        self._signed = re.compile(f"{signed}(?:{_SOLUTION}|{_HEADING}|{_SUB_VERDICT})", re.IGNORECASE)
        self._sub_verdict = re.compile(f"{_MARKUP}({label}|(?i:{MIXED})){_MARKUP}")

    def take(self, line: str) -> None:
        """Reads the next line."""
        if self._code in line:
            if verdict := self._verdict.fullmatch(line):
                self.end()
                self.verdict = verdict[1]
                return
            if signed := self._signed.fullmatch(line):
                self._structure(signed)
                self.verdict = None
                return
        if line.strip():
            self.verdict = None  # the verdict is the last line
        self._open.lines.append(line)

    def end(self) -> None:
        """Ends the part that is open. A unit is lost, because only its sub-verdict completes it."""
        part, self._open = self._open, _Open("nothing")
        if part.kind == "unit":
            self._lose("it has no sub-verdict")
        elif part.kind == "solution" and not part.text:
            self.lost.append("the solution is lost: it is empty")
        elif part.kind == "solution":
            self.solution = part.text

    def _structure(self, signed: re.Match[str]) -> None:
        if signed["sub_verdict"] is not None:
            self._complete(signed["sub_verdict"])
        elif signed["principle"] is not None:
            self.end()
            self._begun += 1
            name, _, rule = signed["principle"].partition(":")
            self._open = _Open("unit", name.strip(_EDGES), rule.strip(_EDGES))
        else:
            self.end()
            first = self.solution is None and self._begun == 0
            self._open = _Open("solution" if first else "nothing")
            if not first:
                self.lost.append("a solution is lost: it has to come once, before all units")

    def _complete(self, sub_verdict: str) -> None:
        """Completes the unit that is open."""
        if self._open.kind != "unit":
            self.end()
            self.lost.append("a sub-verdict is lost: it belongs to no unit")
            return
        part, self._open = self._open, _Open("nothing")
        judgment, favored = _JUDGMENT.sub("", part.text), self._sub_verdict.fullmatch(sub_verdict)
        if not part.principle or not part.rule:
            self._lose("its heading has no principle with a rule")
        elif not judgment:
            self._lose("it has no judgment")
        elif favored is None:
            self._lose(f"its sub-verdict is none of {', '.join(self._labels)}")
        else:
            label = favored[1] if favored[1] in self._labels else MIXED
            self.units.append(Unit(part.principle, part.rule, judgment, label))

    def _lose(self, cause: str) -> None:
        self.lost.append(f"unit {self._begun} is lost: {cause}")
