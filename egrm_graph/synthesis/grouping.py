"""The third stage: the model says which units have the same principle. It sees their names and rules, and replies with
their numbers alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from egrm_graph.clients.client import Client
from egrm_graph.judgments.judgment import Unit
from egrm_graph.messages.fencing import code_of, fence
from egrm_graph.prompting import Prompts
from egrm_graph.synthesis.model_replies import GROUP, call_of, replies
from egrm_graph.synthesis.synthesis_row import Loss, SynthesisRow

_NUMBERS = re.compile(r"[\s\d,;:.*_`()\[\]#-]*")

Groups = tuple[tuple[int, ...], ...]


class ReadGroups(NamedTuple):
    """Groups of units, and what is wrong with the reply that they were read from."""

    groups: Groups
    losses: tuple[Loss, ...]


async def group_principles(client: Client, prompts: Prompts, row: SynthesisRow) -> SynthesisRow:
    """The row with the groups of its units. The model is asked if several rationales have units. Without a reply, units
    with the same name form a group."""
    units = row.all_units
    if sum(bool(own) for own in row.units) < 2:
        return replace(row, groups=by_name(units))
    listed = "\n".join(f"{k}. {unit.principle}: {unit.rule}" for k, unit in enumerate(units, start=1))
    code = code_of([row.view["code"], listed])
    variables = {"principles": fence("principles", listed, code), "n": len(units), "code": code}
    row, [reply] = await replies(
        client, row, "groups", [call_of(prompts, row, GROUP, variables, form=groups_pattern(code, len(units)))]
    )
    if reply.text is None or code not in reply.text:
        loss = Loss("groups", "units with the same name were grouped without the model", reply.lost or "no signed line")
        return replace(row.losing(loss), groups=by_name(units))
    read = read_groups(reply.text, code, len(units))
    return replace(row.losing(*read.losses), groups=read.groups)


def groups_pattern(code: str, n: int) -> str:
    """A regular expression for groups of `n` units: at most `n` signed lines of numbers."""
    return rf"({re.escape(code)}: [1-9][0-9]{{0,2}}(, [1-9][0-9]{{0,2}}){{0,{n - 1}}}\n){{1,{n}}}"


def read_groups(text: str, code: str, n: int) -> ReadGroups:
    """The groups in a reply about `n` units. Each signed line lists the numbers of one group. A number that is unknown
    or was used before is dropped; a unit in no group forms one of its own."""
    groups: list[list[int]] = []
    losses: list[Loss] = []
    used: set[int] = set()
    for line in text.splitlines():
        before, found, numbers = line.partition(code)
        if not found:
            continue
        if not (_NUMBERS.fullmatch(before) and _NUMBERS.fullmatch(numbers)):
            losses.append(Loss("groups", "a signed line is not a list of numbers", line[:80]))
            continue
        group = []
        for digits in re.findall(r"\d+", numbers):
            place = int(digits[:9]) - 1
            if not 0 <= place < n:
                losses.append(Loss("groups", "a group names an unknown unit", f"{digits[:9]}, of {n} units"))
            elif place in used:
                losses.append(Loss("groups", "a unit is named twice", digits))
            else:
                used.add(place)
                group.append(place)
        groups.append(sorted(group))
    alone = [[place] for place in range(n) if place not in used]
    losses += [Loss("groups", "a unit is in no group", str(place + 1)) for [place] in alone]
    return ReadGroups(tuple(sorted(tuple(group) for group in (*groups, *alone) if group)), tuple(losses))


def by_name(units: Sequence[Unit]) -> Groups:
    """The units with the same name in groups, in upper or lower case."""
    groups: dict[str, list[int]] = {}
    for place, unit in enumerate(units):
        groups.setdefault(unit.principle.casefold(), []).append(place)
    return tuple(tuple(group) for group in groups.values())
