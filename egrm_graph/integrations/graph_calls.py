"""Shared by all integrations: build and call the graph, read candidates, and return rewards."""

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

Graph: TypeAlias = CompiledStateGraph[State, RunSettings, Input, Output]
Reward: TypeAlias = tuple[float | None, str | None]
"""A reward and None, or None and the reason why it is missing."""
_Value = TypeVar("_Value")

JUDGES_NOTHING = (
    "the graph answers questions and does not judge candidates; build it with task='pointwise', or with "
    "'pairwise', 'best_of_n' or 'tool_calls' to compare several"
)


def built(graph: Graph | Settings) -> Graph:
    """Return the graph, or build it if the argument is settings.

    Raises:
        SetupError: the settings do not fit together, or a model cannot be loaded.
    """
    return build_graph(graph) if isinstance(graph, Settings) else graph


def outcome_of(graph: Graph, inputs: Callable[[], Any]) -> Verification | Exception:
    """Return the verification, or the error if it concerns only this item."""
    try:
        verification: Verification = graph.invoke(inputs())["verification"]
        return verification
    except ITEM_ERRORS as error:
        return error


async def async_outcome_of(graph: Graph, inputs: Callable[[], Any]) -> Verification | Exception:
    """Like `outcome_of`, but async."""
    try:
        verification: Verification = (await graph.ainvoke(inputs()))["verification"]
        return verification
    except ITEM_ERRORS as error:
        return error


def message_text(message: BaseMessage, name: str) -> str:
    """Return a message as text, including its tool calls.

    Raises:
        InputError: a part cannot be written as text. The error calls the message `name`.
    """
    [candidate] = read_candidates([message])
    if candidate.unfit is not None:
        raise InputError(f"{name} cannot be written as text: {candidate.unfit}")
    return candidate.text


def read_each(values: Iterable[_Value], read: Callable[[_Value], Any]) -> tuple[list[Any], dict[int, str]]:
    """Read values as candidates. Also return, by index, why some cannot be read.

    Those are replaced with an empty text, which is never judged, so the others keep their indices.
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
    """Replace the reasons of the empty replacements in a verification with those in `unread`."""
    unrewarded = verification["unrewarded"]
    if not unread or unrewarded is None:
        return verification
    names = candidate_names(len(unrewarded))
    reasons = {f"{names[i]} cannot be judged: it is empty": f"{names[i]} cannot be judged: {unread[i]}" for i in unread}
    return {
        **verification,
        "unrewarded": [unread.get(i, reason) for i, reason in enumerate(unrewarded)],
        "reasons": [reasons.get(reason, reason) for reason in verification["reasons"]],
    }


def rewards_of(verification: Verification) -> list[Reward]:
    """Return each candidate's reward, or None and the reason.

    Raises:
        SettingsError: the graph answers questions and does not judge candidates.
    """
    rewards, unrewarded = verification["rewards"], verification["unrewarded"]
    if rewards is None or unrewarded is None:
        raise SettingsError(JUDGES_NOTHING)
    pairs = zip(rewards, unrewarded, strict=True)
    return [
        (reward, None if reason is None else _detailed(reason, verification["reasons"])) for reward, reason in pairs
    ]


def candidate_names(n: int) -> list[str]:
    """Return the names of candidates in a verification: letters, or numbers from 1."""
    return [chr(ord("A") + i) if n <= 26 else str(i + 1) for i in range(n)]


def _detailed(reason: str, run_reasons: list[str]) -> str:
    """Add what went wrong in the run to the reason why a candidate has no reward."""
    details = "; ".join(run_reasons)
    return reason if not details or reason in details else f"{reason}: {details}"
