"""Trees of paths for display: the leaves in the order of the tree, each with the part of its text that is its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile

from egrm_graph.steps.tree import leaf_weights
from egrm_graph.verification import Anchor, Branch, Path


@dataclass(frozen=True)
class LeafPiece:
    """A piece of a leaf's own text."""

    text: str
    """Empty for an anchor whose place in the text is not known."""
    anchor: int | None = None
    """The anchor that the piece is the taken token of, as an index into the branch's `anchors`."""
    step: float | None = None
    """The score of the step that ends after the piece."""


@dataclass(frozen=True)
class TreeLeaf:
    """A path of a tree."""

    path: int
    """Its index in `paths`."""
    parent: int | None
    at: int
    """How many of its first tokens it shares with its parent."""
    rails: tuple[bool, ...]
    """For each level of the tree down to this leaf, except the first: whether the level goes on after it."""
    weight: float | None
    """The share of its tree's probability, in [0, 1]; None if the record of the tree is damaged."""
    pieces: list[LeafPiece]
    """Its text after the shared tokens."""
    hidden: int
    """How many characters of its text follow."""
    tried: list[list[int | None]]
    """For each of its anchors and each other token there, the path that tried it."""


def leaves_of(paths: Sequence[Path], most: int) -> list[TreeLeaf]:
    """The leaves of all trees, each followed by those that branch from it, in the order in which they do. The pieces of
    a leaf have at most `most` characters. Empty if no path belongs to a tree."""
    branches = _sound(paths)
    damaged = any(path.get("branch") is not None and branches[i] is None for i, path in enumerate(paths))
    weights = None if damaged or not any(branches) else leaf_weights(paths)
    children: dict[int | None, list[int]] = {}
    tried: dict[tuple[int | None, int, int], int] = {}
    for i, branch in enumerate(branches):
        if branch is not None:
            children.setdefault(branch["parent"], []).append(i)
            if branch["parent"] is not None:
                tried.setdefault((branch["parent"], branch["at"], branch["token_ids"][branch["at"]]), i)

    def place_of(child: int) -> int:
        own = branches[child]
        return 0 if own is None else own["at"]

    found: list[TreeLeaf] = []
    left: list[tuple[int, tuple[bool, ...]]] = [(i, ()) for i in reversed(children.get(None, []))]
    while left:
        i, rails = left.pop()
        branch = branches[i]
        assert branch is not None
        pieces, hidden = _pieces(paths, i, branch, most)
        found.append(
            TreeLeaf(
                path=i,
                parent=branch["parent"],
                at=branch["at"],
                rails=rails,
                weight=None if weights is None else weights[i],
                pieces=pieces,
                hidden=hidden,
                tried=[
                    [tried.get((i, anchor["at"], token["id"])) for token in anchor["others"]]
                    for anchor in branch["anchors"]
                ],
            )
        )
        below = sorted(children.get(i, []), key=place_of, reverse=True)
        left += [(child, (*rails, place > 0)) for place, child in enumerate(below)]
    return found


def _sound(paths: Sequence[Path]) -> list[Branch | None]:
    """The branches whose parents come before them and have the tokens that they share."""
    found: list[Branch | None] = []
    for i, path in enumerate(paths):
        branch = path.get("branch")
        if branch is not None and branch["parent"] is not None:
            parent = found[branch["parent"]] if 0 <= branch["parent"] < i else None
            if parent is None or not 0 <= branch["at"] < len(branch["token_ids"]):
                branch = None
        found.append(branch)
    return found


def _pieces(paths: Sequence[Path], i: int, branch: Branch, most: int) -> tuple[list[LeafPiece], int]:
    text = paths[i]["text"] or ""
    start = 0 if branch["parent"] is None else _shared(paths[branch["parent"]], branch["at"], text)
    end = min(len(text), start + most)
    placed = {n: anchor for n, anchor in enumerate(branch["anchors"]) if _placed(anchor, text, start)}
    begins = {anchor["end"]: n for n, anchor in placed.items()}
    scores = _step_ends(paths[i])
    ends = {anchor["end"] + len(anchor["taken"]["text"]) for anchor in placed.values()}
    cuts = sorted({start, end, *(at for at in (*begins, *ends, *scores) if start < at < end)})
    pieces = [LeafPiece(text[at:after], begins.get(at), scores.get(after)) for at, after in pairwise(cuts)]
    pieces += [LeafPiece("", n) for n in range(len(branch["anchors"])) if n not in placed]
    return pieces, len(text) - end


def _placed(anchor: Anchor, text: str, start: int) -> bool:
    """Whether the anchor's token is where the record says. In a redacted text it is not."""
    taken = anchor["taken"]["text"]
    return bool(taken) and anchor["end"] >= start and text.startswith(taken, anchor["end"])


def _shared(parent: Path, at: int, text: str) -> int:
    """How many characters a text shares with that of the path that it branches from, up to the branch."""
    above, branch = parent["text"] or "", parent.get("branch")
    for anchor in branch["anchors"] if branch is not None else ():
        if anchor["at"] == at and _placed(anchor, above, 0) and text[: anchor["end"]] == above[: anchor["end"]]:
            return anchor["end"]
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(above, text, strict=False)))


def _step_ends(path: Path) -> dict[int, float]:
    """The scores of the steps by the place in the text where each ends. A step may end in the thinking before it."""
    before = len(path["thinking"]) + len("\n\n") if path["thinking"] else 0
    return {step["end"] - before: step["score"] for step in path.get("steps") or ()}
