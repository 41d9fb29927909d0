"""The third stage: the model says which units have the same principle. It sees their names and rules, and replies with
pairs of numbers: each unit, and one of an earlier rationale with the same principle."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import NamedTuple

from egrm_graph.clients.client import Client
from egrm_graph.messages.fencing import code_of, fence
from egrm_graph.prompting import Prompts
from egrm_graph.synthesis.model_replies import GROUP, call_of, replies
from egrm_graph.synthesis.synthesis_row import Loss, SynthesisRow

_PAIR = re.compile(r"(\d+)\s*=\s*(\d+)")
_PAIRS = re.compile(rf"(?:{_PAIR.pattern}|[\s,;:.*_`()\[\]#-])*")

Groups = tuple[tuple[int, ...], ...]


class ReadGroups(NamedTuple):
    """Groups of units, and what is wrong with the reply that they were read from."""

    groups: Groups
    losses: tuple[Loss, ...]


async def group_principles(client: Client, prompts: Prompts, row: SynthesisRow) -> SynthesisRow:
    """The row with the groups of its units. The model is asked if several rationales have units. Without a reply, units
    with the same name form a group."""
    units, sizes = row.all_units, [len(own) for own in row.units if own]
    names = [unit.principle.casefold() for unit in units]
    if len(sizes) < 2:
        return replace(row, groups=by_name(names))
    listed = "\n".join(f"{k}. {unit.principle}: {unit.rule}" for k, unit in enumerate(units, start=1))
    code = code_of([row.view["code"], listed])
    variables = {"principles": fence("principles", listed, code), "first": sizes[0], "n": len(units), "code": code}
    row, [reply] = await replies(
        client, row, "groups", [call_of(prompts, row, GROUP, variables, form=groups_pattern(code, sizes))]
    )
    if reply.text is None or code not in reply.text:
        loss = Loss("groups", "units with the same name were grouped without the model", reply.lost or "no signed line")
        return replace(row.losing(loss), groups=by_name(names))
    read = read_groups(reply.text, code, sizes, names)
    return replace(row.losing(*read.losses), groups=read.groups)


def groups_pattern(code: str, sizes: Sequence[int]) -> str:
    """A regular expression for one signed line with a pair for each unit after the first rationale: its number, then
    either the same number or that of a unit from an earlier rationale. `sizes` counts the units of each rationale."""
    pairs = (f"{k + 1}=({'|'.join(str(each + 1) for each in allowed)})" for k, allowed in _allowed(sizes).items())
    return f"{re.escape(code)}: {', '.join(pairs)}"


def _allowed(sizes: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """What each unit may equal, except for those of the first rationale. The units of one rationale are different."""
    starts = [*accumulate(sizes)]
    return {k: (*range(start), k) for start, end in pairwise(starts) for k in range(start, end)}


def read_groups(text: str, code: str, sizes: Sequence[int], names: Sequence[str]) -> ReadGroups:
    """The groups in a reply. Signed lines say which units equal which, such as `3=1`. A pair is dropped if it is about
    a unit that is unknown or was named before, or would make two units of one rationale equal. A unit without a pair
    equals the first with its name."""
    equal: dict[int, int] = {}
    losses: list[Loss] = []
    allowed, n = _allowed(sizes), sum(sizes)
    taken: set[tuple[int, int]] = set()
    for line in text.splitlines():
        before, found, pairs = line.partition(code)
        if not found:
            continue
        if not (_PAIRS.fullmatch(before) and _PAIRS.fullmatch(pairs)):
            losses.append(Loss("groups", "a signed line has more than pairs of numbers", line[:80]))
            continue
        for one, other in _PAIR.findall(pairs):
            place, same = int(one[:9]) - 1, int(other[:9]) - 1
            earlier = allowed.get(place, (place,))
            if not (0 <= place < n and 0 <= same < n):
                losses.append(Loss("groups", "a pair names an unknown unit", f"{one[:9]}={other[:9]}, of {n} units"))
            elif place in equal:
                losses.append(Loss("groups", "a unit is named twice", f"{one}={other}"))
            elif same not in earlier or (len(earlier), same) in taken:
                losses.append(Loss("groups", "a pair makes units of one rationale equal", f"{one}={other}"))
            else:
                equal[place] = same
                # So many units are earlier for all of one rationale, and for no other.
                taken.add((len(earlier), same))
    losses += [Loss("groups", "a unit is in no pair", str(place + 1)) for place in allowed if place not in equal]
    return ReadGroups(_connected({place: names.index(names[place]) for place in range(n)} | equal, n), tuple(losses))


def _connected(equal: Mapping[int, int], n: int) -> Groups:
    """The units that are equal, directly or through others, in groups."""
    group_of = {place: {place} for place in range(n)}
    for place, same in equal.items():
        if group_of[place] is not group_of[same]:
            group_of[place] |= group_of[same]
            for other in group_of[same]:
                group_of[other] = group_of[place]
    return tuple(sorted({tuple(sorted(group)) for group in group_of.values()}))


def by_name(names: Sequence[str]) -> Groups:
    """The units with the same name in groups."""
    return _connected({place: names.index(name) for place, name in enumerate(names)}, len(names))
