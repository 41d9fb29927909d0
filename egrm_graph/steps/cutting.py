"""Cuts a path into steps: where each of them ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from egrm_graph.errors import SettingsError

_SENTENCE_END = re.compile(r"(?<=[.!?。！？])(?:\s+|$)|\n+")  # noqa: RUF001
_LINE_END = re.compile(r"\n+")

STEP_RULES: Mapping[str, re.Pattern[str]] = {"lines": _LINE_END, "sentences": _SENTENCE_END}
"""The built-in ways to cut a path: each pattern matches the end of a step."""

ANCHORS = "anchors"
"""Steps of a path in an entropy tree end where the model was unsure, which the text does not say."""


def step_cutter(rule: str) -> Callable[[str], list[int]]:
    """From a text to the places where its steps end, in characters, each larger than the one before.

    `rule` is `lines`, `sentences`, or a regular expression that matches the end of a step. A step that has only white
    space belongs to the one before. The last step ends with the text. A text without any characters other than white
    space has no steps.

    Raises:
        SettingsError: it is not a regular expression.
    """
    pattern = STEP_RULES.get(rule)
    if pattern is None:
        try:
            pattern = re.compile(rule)
        except re.error as error:
            raise SettingsError(
                f"{rule!r} says where steps end, and is neither one of {', '.join(STEP_RULES)} nor a regular "
                f"expression: {error}"
            ) from error

    def cut(text: str) -> list[int]:
        ends: list[int] = []
        for match in pattern.finditer(text):
            if match.end() > match.start() and text[ends[-1] if ends else 0 : match.end()].strip():
                ends.append(match.end())
        if text[ends[-1] if ends else 0 :].strip():
            ends.append(len(text))
        elif ends:
            ends[-1] = len(text)
        return ends

    return cut
