"""Remove the tokens of trees of paths from a record, and keep where the paths branch.

With a public tokenizer, the id of a token is its text. So ids become numbers that only tell the tokens at one anchor
apart. Shares of the tree's probability, and replays, need no more than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from egrm_graph.verification import Anchor, Branch, Path, Token


def without_tree_tokens(paths: Sequence[Path]) -> list[Path]:
    """The paths with the tokens of their branches numbered, and without the tokens' texts.

    At an anchor, the token taken is number 0, and the others follow. Any other token is number 0.
    """
    changed: list[Path] = []
    for path in paths:
        branch = path.get("branch")
        changed.append(path if branch is None else {**path, "branch": _numbered(branch, paths, changed)})
    return changed


def without_beginning(sampling: dict[str, Any]) -> dict[str, Any]:
    """The sampling of a call without the ids of the tokens with which its completion begins."""
    return {name: value for name, value in sampling.items() if name != "begins_with" or value is None}


def _numbered(branch: Branch, paths: Sequence[Path], changed: Sequence[Path]) -> Branch:
    """`changed` has the paths before it."""
    numbers = [0] * len(branch["token_ids"])
    parent, at = branch["parent"], branch["at"]
    above = None if parent is None or not 0 <= parent < len(changed) else changed[parent].get("branch")
    if above is not None and parent is not None and at < len(numbers):
        shared = above["token_ids"][:at]
        numbers[: len(shared)] = shared
        numbers[at] = _number(branch["token_ids"][at], paths[parent].get("branch"), at)
    return {**branch, "anchors": [_without_texts(anchor) for anchor in branch["anchors"]], "token_ids": numbers}


def _number(token: int, parent: Branch | None, at: int) -> int:
    anchor = next((each for each in (parent or {"anchors": []})["anchors"] if each["at"] == at), None)
    ids = [] if anchor is None else [each["id"] for each in (anchor["taken"], *anchor["others"])]
    return ids.index(token) if token in ids else len(ids)


def _without_texts(anchor: Anchor) -> Anchor:
    taken, *others = (
        Token(id=number, text="", logprob=token["logprob"])
        for number, token in enumerate((anchor["taken"], *anchor["others"]))
    )
    return {**anchor, "taken": taken, "others": others}
