"""Read a reply whose first words the prompt wrote, such as `\\boxed{`.

The answer ends where the form that the start opened is closed. What a model writes after that is not read, cut or not.
"""

from __future__ import annotations

from egrm_graph.answers.declared_answers import balanced
from egrm_graph.answers.thinking import spoken

_CLOSINGS = (("**", "**"), ("__", "__"), ("<answer>", "</"), ("`", "`"), ('"', '"'))


def opened_answer(start: str, text: str) -> str | None:
    """Return the part of the text with the answer that its `start` opened. None if the answer is not closed in there.

    A model may repeat the start; its own then counts. If the model thinks first, the start belongs to the thought and
    opens nothing.
    """
    said = spoken(text)
    if said is None or not said.text.startswith(start):
        return None
    rest = said.text[len(start) :]
    while (repeated := rest.lstrip()).startswith(start):
        rest = repeated[len(start) :]
    length = _length(start, rest)
    return start + rest[:length] if length is not None else None


def _length(start: str, rest: str) -> int | None:
    """Return where the form ends in the text after the start. None if it is empty or not closed."""
    if start.endswith("{"):
        inside = balanced(rest)
        return len(inside) + 1 if inside and inside.strip() else None
    for opening, closing in _CLOSINGS:
        if start.endswith(opening):
            inside, found, _ = rest.partition(closing)
            return len(inside + found) if found and inside.strip() else None
    return None
