"""How the bundled model is shown what it judges: sums and worked answers behind bars, `17+48|#65|#66|`.

Decides: the model's alphabet is the fence. All that a candidate may hold beside sums is `_`, which stands for anything
else, however long; so no candidate can hold a bar, a verdict, or a word. A verdict stands behind the `>` that follows
the sum, or the sum worked out; what is graded is the sum worked out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from egrm_graph.tasks.arithmetic import Arithmetic
from egrm_graph.tasks.task import View
from egrm_graph.verification import Judged, Subject

MOST_CHARACTERS = 120

_LETTERS = "ABCDEFGH"
_TIE = "="
_VERDICT = ">"
_OTHER = "_"
_SPACE = re.compile(r"\s+")
_FOREIGN = re.compile(r"[^0-9+\-=;#]+")


class Sums:
    """The dialect of `egrm-tiny`."""

    most_candidates = len(_LETTERS)
    label_alone = False

    def prompts(self, task: str) -> str:  # noqa: ARG002 - a dialect's signature
        return "tiny_judge"

    def check(self, question: str) -> str:
        return Arithmetic().check(question)

    def shown(self, text: str) -> tuple[str, str | None]:
        written = _FOREIGN.sub(_OTHER, _SPACE.sub("", text))
        if not re.search("[0-9]", written):
            return "", "there is no number in it"
        if len(written) > MOST_CHARACTERS:
            return "", f"it has {len(written)} characters, and the bundled model reads {MOST_CHARACTERS} of a candidate"
        return written, None

    def labels(self, n: int, *, tie: bool) -> tuple[str, ...]:
        return (*_LETTERS[:n], *((_TIE,) if tie else ()))

    def grades(self, lowest: int, highest: int) -> tuple[str, ...]:
        return tuple(str(grade) for grade in range(lowest, highest + 1))

    def variables(
        self,
        subject: Subject,
        judged: Judged,  # noqa: ARG002 - a dialect's signature
        texts: Sequence[str],
        labels: Sequence[str],
    ) -> dict[str, Any]:
        known, _ = self.shown(subject["reference"] or "")
        asked = f"{subject['question']}={known}" if known else subject["question"]
        return {"context": asked, "candidates": list(texts), "labels": list(labels), "code": ""}

    def read(self, text: str, view: View, *, fast: bool, complete: bool) -> str | None:  # noqa: ARG002
        _, verdict, label = text.rpartition(_VERDICT)
        return label if complete and verdict and label in view.labels else None

    def graded(self, subject: Subject, view: View, text: str) -> tuple[str, str]:  # noqa: ARG002
        return subject["question"], text.rpartition(_VERDICT)[0]
