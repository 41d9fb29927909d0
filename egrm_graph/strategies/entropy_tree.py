"""The strategy `entropy_tree`: paths that branch where the model hesitates.

The first path is decoded greedily. Tokens at which the model was unsure are its anchors. A branch has another token
there, and is decoded on to its end, with anchors of its own. So every token that is generated belongs to a path, and
branches share what comes before them, which a server keeps in its prefix cache. A round branches each path once at
most, so it at most doubles their number.

Source: EDU-PRM, arXiv:2503.22233. Differs: it stops at each anchor, which no server can do; here paths are completed
first and branched afterwards, in rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from egrm_graph.clients.client import Completion, Sampling
from egrm_graph.drawing.calls import Call, Lost
from egrm_graph.drawing.samples import seeds
from egrm_graph.prompting import PromptSource
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.settings import RunSettings
from egrm_graph.steps.anchors import anchors_of, entropies, quantile_of
from egrm_graph.steps.tree import OpenBranch, open_branches
from egrm_graph.strategies.strategy import Known, PathCall, PathInView
from egrm_graph.verification import Anchor, Branch, Path, View

PROMPT = "expand_cot"
MOST_ANCHORS = 256
"""A path keeps this many anchors, those with the largest entropy. There are never more paths."""


class EntropyTree:
    """Grows a tree of paths in each view, in rounds."""

    name = "entropy_tree"
    continues_tokens = True
    prompts: Mapping[str, PromptSource | None] = MappingProxyType({PROMPT: None})
    variables: Mapping[str, Any] = MappingProxyType({})

    def reads_scores(self, settings: RunSettings) -> bool:
        """Pruning and best-first search go by the scores of steps."""
        return settings.prune_below is not None or settings.anchor_order == "score"

    def next_calls(self, known: Known) -> Sequence[PathCall]:
        paths = [*known.scored, *(path for path, _ in self.paths(known))]
        wanted: list[tuple[View, tuple[int, ...]]] = []
        for view in known.views:
            tree = {i for i, path in enumerate(paths) if path["order"] == view["order"]}
            left = view["samples"] - sum(i >= len(known.scored) for i in tree)
            if not tree and left > 0:
                wanted.append((view, ()))
            elif left > 0:
                chosen = chosen_branches(paths, tree, known.settings)[: min(left, len(tree))]
                wanted += [(view, beginning(paths, branch)) for branch in chosen]
        calls = known.calls(PROMPT, [view for view, _ in wanted])
        return [
            PathCall(replace(call, sampling=_sampling(known, begins_with), seeds=_seeds(known, call)), view)
            for (call, view), (_, begins_with) in zip(calls, wanted, strict=True)
        ]

    def paths(self, known: Known) -> Sequence[PathInView]:
        found: list[PathInView] = []
        for drawn in known.rounds:
            # Branches of one round never branch from one another.
            before = [*known.scored, *(path for path, _ in found)]
            for call, (outcome,) in zip(drawn.calls, drawn.outcomes, strict=True):
                others = [*before, *(path for path, _ in found[len(before) - len(known.scored) :])]
                found.append(PathInView(_leaf(known, call, outcome, before, others), call.view))
        return found

    def notes(self, known: Known) -> Sequence[Reason]:
        """A first path without anchors, whose tree has one leaf, and paths that keep only a part of their anchors."""
        found: list[Reason] = []
        counts: list[int] = []
        drawn = [pair for each in known.rounds for pair in zip(each.calls, each.outcomes, strict=True)]
        for i, (call, (outcome,)) in enumerate(drawn, start=len(known.scored)):
            if not isinstance(outcome, Completion):
                continue
            begins_with, threshold = call.call.sampling.begins_with or (), _threshold(outcome, known.settings)
            counts.append(len(_all_anchors(outcome, len(begins_with), threshold, known.settings)))
            if not begins_with and counts[-1] == 0 and known.settings.paths != 1:
                found.append(ReasonCode.NO_ANCHOR.reason(index=i, threshold=threshold))
        if above := [count for count in counts if count > MOST_ANCHORS]:
            left_out = {"count": len(above), "total": len(drawn), "most": MOST_ANCHORS, "found": max(above)}
            found.append(ReasonCode.ANCHORS_LEFT_OUT.reason(**left_out))
        return found


def chosen_branches(paths: Sequence[Path], tree: Collection[int], settings: RunSettings) -> list[OpenBranch]:
    """The branches of a tree that are drawn next, the first one first. `tree` has the indices of its paths."""
    found = [branch for branch in open_branches(paths) if branch.parent in tree]
    if settings.prune_below is not None:
        found = [branch for branch in found if not _is_below(step_score(paths, branch), settings.prune_below)]
    if settings.anchor_order == "score":
        return sorted(found, key=lambda branch: _best_first(step_score(paths, branch), branch))
    return sorted(found, key=_ORDERS[settings.anchor_order])


def step_score(paths: Sequence[Path], branch: OpenBranch) -> float | None:
    """The score of the worst step that ends before the branch, 1 if none does; None if the path has no scores."""
    steps = paths[branch.parent].get("steps")
    if not steps:
        return None
    return min((step["score"] for step in steps if step["end"] <= branch.anchor["end"]), default=1.0)


def _is_below(score: float | None, bound: float) -> bool:
    """Nothing is cut for want of a score."""
    return score is not None and score < bound


def _best_first(score: float | None, branch: OpenBranch) -> tuple[bool, float, float]:
    """Branches without a score come last."""
    return (score is None, -(score or 0.0), -branch.weight)


def beginning(paths: Sequence[Path], branch: OpenBranch) -> tuple[int, ...]:
    """The tokens with which a branch begins."""
    parent = paths[branch.parent].get("branch")
    assert parent is not None
    return (*parent["token_ids"][: branch.anchor["at"]], branch.token["id"])


_ORDERS: Mapping[str, Callable[[OpenBranch], float]] = {
    "first": lambda branch: branch.anchor["at"],
    "entropy": lambda branch: -branch.anchor["entropy"],
    "probability": lambda branch: -branch.weight,
}


def _seeds(known: Known, call: Call) -> tuple[int, ...]:
    """Greedy decoding does not depend on the seed. With the same one everywhere, saved draws of a branch serve any tree
    that has it."""
    if known.settings.branch_temperature > 0:
        return call.seeds
    return seeds(known.settings.seed, PROMPT, known.asked["key"], 1)


def _sampling(known: Known, begins_with: tuple[int, ...]) -> Sampling:
    settings = known.settings
    sampling = known.sampling(PROMPT, logprobs=settings.top_logprobs)
    return replace(
        sampling,
        temperature=settings.branch_temperature,
        max_tokens=max(1, sampling.max_tokens - len(begins_with)),
        begins_with=begins_with,
    )


def _leaf(
    known: Known, call: PathCall, outcome: Completion | Lost, before: Sequence[Path], others: Sequence[Path]
) -> Path:
    """The path in an outcome. It may branch from those `before`, and be equal to one of the `others`."""
    begins_with = call.call.sampling.begins_with or ()
    anchors: list[Anchor] = []
    token_ids = list(begins_with)
    if isinstance(outcome, Completion):
        token_ids += outcome.token_ids or ()
        anchors = _anchors(outcome, len(begins_with), known.settings)
        # Its log-probabilities are those of the tree, which the anchors have.
        outcome = replace(outcome, logprobs=None, top_logprobs=None)
    path = known.read(call, outcome).path
    parent = _parent(before, begins_with, path["order"])
    at = max(0, len(begins_with) - 1)
    ends = [] if parent is None else _ends_before(before[parent], at)
    path["branch"] = Branch(parent=parent, at=at, anchors=anchors, shared_ends=ends, token_ids=token_ids)
    same = next((i for i, other in enumerate(others) if other["text"] == path["text"] is not None), None)
    if same is not None and others[same]["order"] == path["order"]:
        # Two ways to write one text. It counts once.
        path["answer"], path["error"] = None, f"its text is that of path {same}, which counts for both"
        path["branch"] = Branch(parent=parent, at=at, anchors=[], shared_ends=ends, token_ids=token_ids)
    return path


def _ends_before(parent: Path, at: int) -> list[int]:
    """The places of the anchors of a path up to the one at this token."""
    branch = parent.get("branch")
    assert branch is not None
    return [*branch["shared_ends"], *(anchor["end"] for anchor in branch["anchors"] if anchor["at"] <= at)]


def _anchors(completion: Completion, before: int, settings: RunSettings) -> list[Anchor]:
    found = _all_anchors(completion, before, _threshold(completion, settings), settings)
    if len(found) <= MOST_ANCHORS:
        return found
    least = sorted((anchor["entropy"] for anchor in found), reverse=True)[MOST_ANCHORS - 1]
    return [anchor for anchor in found if anchor["entropy"] >= least][:MOST_ANCHORS]


def _threshold(completion: Completion, settings: RunSettings) -> float:
    """Above which entropy a token of this completion is an anchor, in nats."""
    if settings.anchor_quantile is None:
        return settings.anchor_entropy
    lows = [low for low, _ in entropies(completion)]
    return max(settings.anchor_entropy, quantile_of(lows, settings.anchor_quantile))


def _all_anchors(completion: Completion, before: int, threshold: float, settings: RunSettings) -> list[Anchor]:
    return anchors_of(
        completion,
        threshold=threshold,
        before=before,
        others=settings.anchor_alternatives,
        exempt=settings.anchor_exempt,
        pattern=settings.anchor_pattern,
    )


def _parent(before: Sequence[Path], begins_with: Sequence[int], order: Sequence[str]) -> int | None:
    """The path that a branch is one of: it has an anchor at that place, and the tokens before it."""
    if not begins_with:
        return None
    at = len(begins_with) - 1
    for i, path in enumerate(before):
        branch = path.get("branch")
        if branch is None or path["order"] != order or branch["token_ids"][:at] != list(begins_with[:at]):
            continue
        if any(
            anchor["at"] == at and any(token["id"] == begins_with[at] for token in anchor["others"])
            for anchor in branch["anchors"]
        ):
            return i
    return None
