"""What all of these share: the graph that they call, the candidates they hand over, and the rewards they get back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

from langchain_core.messages import BaseMessage
from langgraph.graph.state import CompiledStateGraph

from egrm_graph.errors import ITEM_ERRORS, InputError, SettingsError
from egrm_graph.graph import build_graph
from egrm_graph.messages.candidates import read_candidates
from egrm_graph.settings import RunSettings, Settings
from egrm_graph.state import Input, Output, State
from egrm_graph.verification import Verification

Given = TypeVar("Given")
Graph: TypeAlias = CompiledStateGraph[State, RunSettings, Input, Output]
Reward: TypeAlias = tuple[float | None, str | None]
"""A reward, or None and the reason."""

JUDGES_NOTHING = (
    "the graph answers questions and judges no candidates; build it with task='pointwise', or with "
    "'pairwise', 'best_of_n' or 'tool_calls' to compare several"
)


def built(graph: Graph | Settings) -> Graph:
    """The graph itself, or the one that the settings describe.

    Raises:
        SetupError: the settings do not fit together, or a model cannot be loaded.
    """
    return build_graph(graph) if isinstance(graph, Settings) else graph


def outcome_of(graph: Graph, given: Callable[[], Any]) -> Verification | Exception:
    """The verification of what is given, or what was wrong with this one item."""
    try:
        verification: Verification = graph.invoke(given())["verification"]
        return verification
    except ITEM_ERRORS as error:
        return error


async def async_outcome_of(graph: Graph, given: Callable[[], Any]) -> Verification | Exception:
    """The same in an async run."""
    try:
        verification: Verification = (await graph.ainvoke(given()))["verification"]
        return verification
    except ITEM_ERRORS as error:
        return error


def shown_text(message: BaseMessage, name: str) -> str:
    """A message as text, tool calls included.

    Raises:
        InputError: it has a part that cannot be shown; the error calls the message `name`.
    """
    [shown] = read_candidates([message])
    if shown.unfit is not None:
        raise InputError(f"{name} cannot be shown: {shown.unfit}")
    return shown.text


def readable(values: Iterable[Given], read: Callable[[Given], Any]) -> tuple[list[Any], dict[int, str]]:
    """The values as candidates, and why some cannot be read, by their places.

    An empty text, which is never judged, stands in for such a candidate, so that the others keep their places.
    """
    candidates, unread = [], dict[int, str]()
    for i, value in enumerate(values):
        try:
            candidates.append(read(value))
        except InputError as error:
            candidates.append("")
            unread[i] = str(error)
    return candidates, unread


def with_unread(verification: Verification, unread: Mapping[int, str]) -> Verification:
    """The verification with the reasons in `unread` in place of those of the empty stand-ins."""
    unrewarded = verification["unrewarded"]
    if not unread or unrewarded is None:
        return verification
    names = candidate_names(len(unrewarded))
    reasons = {f"{names[i]} cannot be judged: it is empty": f"{names[i]} cannot be judged: {unread[i]}" for i in unread}
    return {
        **verification,
        "unrewarded": [unread.get(i, why) for i, why in enumerate(unrewarded)],
        "reasons": [reasons.get(reason, reason) for reason in verification["reasons"]],
    }


def rewards_of(verification: Verification) -> list[Reward]:
    """For each candidate its reward, or None and the reason.

    Raises:
        SettingsError: the graph answers questions, and judges nothing.
    """
    rewards, unrewarded = verification["rewards"], verification["unrewarded"]
    if rewards is None or unrewarded is None:
        raise SettingsError(JUDGES_NOTHING)
    pairs = zip(rewards, unrewarded, strict=True)
    return [(reward, None if why is None else _reason(why, verification["reasons"])) for reward, why in pairs]


def candidate_names(n: int) -> list[str]:
    """What candidates are called in a verification: letters, or numbers from 1."""
    return [chr(ord("A") + i) if n <= 26 else str(i + 1) for i in range(n)]


def _reason(why: str, reasons: list[str]) -> str:
    """Why a candidate has no reward, and where that says too little, what went wrong in the run."""
    told = "; ".join(reasons)
    return why if not told or why in told else f"{why}: {told}"
