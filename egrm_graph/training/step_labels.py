"""Labels of steps from rollouts: how likely a path that goes through a step ends right.

In an entropy tree, the steps are fragments: a path is cut at each anchor at which it branches, and its last fragment
ends with it. The leaves of a fragment are the paths that go on from it.

Source: EDU-PRM, arXiv:2503.22233. Differs: next to the published labels, `value` counts the leaves by their
probability. A branch has a token that the model would rarely write, and its leaves count as much as all others in the
published labels, which are far too low where the model is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from typing_extensions import TypedDict

from egrm_graph.steps.tree import leaf_weights
from egrm_graph.verification import Path


class StepRow(TypedDict):
    """A labeled step in a file of rollouts. See `rollout_file.RolloutStep`."""

    end: int
    value: float
    share: float
    any: bool
    leaves: int


def step_row(end: int, right: Sequence[bool], weights: Sequence[float] | None = None) -> StepRow:
    """The label of a step with these leaves, at least one of them. Without weights, they all weigh the same."""
    value = share = sum(right) / len(right)
    if weights is not None and (total := sum(weights)) > 0:
        value = sum(weight for weight, each in zip(weights, right, strict=True) if each) / total
    return StepRow(end=end, value=round(min(value, 1.0), 6), share=round(share, 6), any=any(right), leaves=len(right))


def tree_steps(paths: Sequence[Path], right: Sequence[bool]) -> list[list[StepRow]]:
    """The labeled fragments that each path of a tree does not share with its parent, in order. `right` says of each
    path whether it ends right.

    A path that was lost, or has the text of another path, is not a leaf and has no fragments.
    """
    weights = leaf_weights(paths)
    branches = _leaves_of_branches(paths)

    def row(end: int, leaves: Sequence[int]) -> StepRow:
        return step_row(end, [right[leaf] for leaf in leaves], [weights[leaf] for leaf in leaves])

    return [
        [row(end, leaves) for end, leaves in _fragments(path, i, branches[i]) if end > 0]
        if path["error"] is None
        else []
        for i, path in enumerate(paths)
    ]


def _leaves_of_branches(paths: Sequence[Path]) -> list[dict[int, list[int]]]:
    """For each path, and each place at which it branches, in tokens: the leaves of its branches there."""
    branches: list[dict[int, list[int]]] = [{} for _ in paths]
    for i in reversed(range(len(paths))):  # a path comes after its parent
        branch = paths[i].get("branch")
        leaves = [leaf for found in branches[i].values() for leaf in found]
        leaves += [i] if paths[i]["error"] is None else []
        if branch is not None and branch["parent"] is not None and leaves:
            branches[branch["parent"]].setdefault(branch["at"], []).extend(leaves)
    return branches


def _fragments(path: Path, i: int, branches: Mapping[int, Sequence[int]]) -> list[tuple[int, list[int]]]:
    """The ends of the path's own fragments, in characters, each with its leaves."""
    leaves = [i]
    found = [(len(path["text"] or ""), list(leaves))]
    for anchor in reversed((path.get("branch") or {}).get("anchors", ())):
        if anchor["at"] in branches:
            leaves += branches[anchor["at"]]
            found.append((anchor["end"], list(leaves)))
    return found[::-1]
