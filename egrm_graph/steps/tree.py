"""Trees of paths: which branches are open, and what share of the probability each leaf has.

All of it follows from the paths' `branch` fields. A path is a leaf. It shares its first tokens with the path that it
branches from, and the tokens after the branch belong to it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from egrm_graph.steps.anchors import likelihood
from egrm_graph.verification import Anchor, Branch, Path, Token


@dataclass(frozen=True)
class OpenBranch:
    """A token at an anchor that has not been tried."""

    parent: int
    """The index of the path that has the anchor."""
    anchor: Anchor
    token: Token
    weight: float
    """The share of its tree's probability that the branch would have."""


def open_branches(paths: Sequence[Path]) -> list[OpenBranch]:
    """The next token to try at every anchor that has one, path by path. Of an anchor, the likeliest comes first."""
    return list(_Trees(paths).open())


def leaf_weights(paths: Sequence[Path]) -> list[float]:
    """The share of its tree's probability that each path has, in [0, 1]; 1 for a path of no tree, 0 for a lost one.

    At an anchor where several tokens were tried, the probability of the paths that reach it is shared among them as
    the model's next-token probabilities are. Elsewhere a path goes on alone. So the leaves of a tree add up to 1,
    except for the shares of those that were lost.
    """
    trees = _Trees(paths)
    return [trees.weight(i) if path["error"] is None else 0.0 for i, path in enumerate(paths)]


def leaf_priors(paths: Sequence[Path], power: float) -> list[float]:
    """What the score of each path is multiplied by, in [0, 1]: its share of its tree's probability to this power."""
    if power == 0 or not any(path.get("branch") for path in paths):
        return [1.0] * len(paths)
    return [weight**power for weight in leaf_weights(paths)]


class _Trees:
    """The paths with the tokens that were tried at each anchor."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._branches: list[Branch | None] = [path.get("branch") for path in paths]
        self._tried: dict[tuple[int, int], set[int]] = {}
        for branch in self._branches:
            if branch is not None and branch["parent"] is not None:
                place = (branch["parent"], branch["at"])
                self._tried.setdefault(place, set()).add(branch["token_ids"][branch["at"]])
        self._bases: dict[int, float] = {}

    def open(self) -> Sequence[OpenBranch]:
        found = []
        for i, branch in enumerate(self._branches):
            reaches = self._base(i)
            for anchor in branch["anchors"] if branch is not None else ():
                tried = self._tried.get((i, anchor["at"]), set())
                token = next((token for token in anchor["others"] if token["id"] not in tried), None)
                if token is not None:
                    found.append(OpenBranch(i, anchor, token, reaches * self._share(i, anchor, token["id"])))
                reaches *= self._share(i, anchor, anchor["taken"]["id"])
        return found

    def weight(self, i: int) -> float:
        """The share of the leaf i."""
        branch, weight = self._branches[i], self._base(i)
        for anchor in branch["anchors"] if branch is not None else ():
            weight *= self._share(i, anchor, anchor["taken"]["id"])
        return weight

    def _base(self, i: int) -> float:
        """The share that path i has where it begins to differ from its parent, before its own anchors."""
        if i not in self._bases:
            branch = self._branches[i]
            self._bases[i] = 1.0 if branch is None or branch["parent"] is None else self._of_branch(branch)
        return self._bases[i]

    def _of_branch(self, branch: Branch) -> float:
        parent = branch["parent"]
        assert parent is not None
        above = self._branches[parent]
        weight = self._base(parent)
        for anchor in above["anchors"] if above is not None else ():
            if anchor["at"] == branch["at"]:
                return weight * self._share(parent, anchor, branch["token_ids"][branch["at"]])
            weight *= self._share(parent, anchor, anchor["taken"]["id"])
        return 0.0  # its anchor is not known

    def _share(self, i: int, anchor: Anchor, token: int) -> float:
        """The share of one token among those tried at an anchor of path i, and itself."""
        tried = {anchor["taken"]["id"], token} | self._tried.get((i, anchor["at"]), set())
        shares = {each["id"]: likelihood(each) for each in (anchor["taken"], *anchor["others"]) if each["id"] in tried}
        total = sum(shares.values())
        return shares.get(token, 0.0) / total if total else 0.0
