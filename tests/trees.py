"""Trees of paths for tests, whose numbers can be worked by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from egrm_graph.records.record import Record
from egrm_graph.verification import Anchor, Branch, Path, Token
from tests.tracing.records import call, path, record, verification


def token(text: str, share: float) -> Token:
    """A one-letter token, whose id is its code point."""
    return Token(id=ord(text), text=text, logprob=math.log(share))


def anchor(at: int, taken: tuple[str, float], *others: tuple[str, float], most: float | None = None) -> Anchor:
    """An anchor after `at` one-letter tokens."""
    shares = [share for _, share in (taken, *others)]
    entropy = -sum(share * math.log(share) for share in shares)
    return Anchor(
        at=at,
        end=at,
        entropy=entropy,
        entropy_most=entropy if most is None else most,
        taken=token(*taken),
        others=[token(*other) for other in others],
    )


def leaf(i: int, text: str, score: float | None, parent: int | None, at: int, *anchors: Anchor, **changes: Any) -> Path:
    """A path of one-letter tokens that ends in its answer."""
    made = path(text[-1], score, i, text=text, n_tokens=len(text) - at)
    ids = [ord(letter) for letter in text]
    made["branch"] = Branch(parent=parent, at=at, anchors=list(anchors), shared_ends=[], token_ids=ids)
    return Path(**{**made, **changes})  # type: ignore[typeddict-item]


def four_leaves() -> list[Path]:
    """The tree of tests/strategies/test_entropy_tree.py, with scores. Its weights are 0.42, 0.36, 0.18, and 0.04."""
    return [
        leaf(0, "x1#5", 0.9, None, 0, anchor(1, ("1", 0.6), ("2", 0.4)), anchor(3, ("5", 0.7), ("6", 0.3))),
        leaf(1, "x2#7", 0.2, 0, 1, anchor(3, ("7", 0.9), ("8", 0.1), most=0.9)),
        leaf(2, "x1#6", 0.3, 0, 3),
        leaf(3, "x2#8", None, 1, 3),
    ]


def recorded(paths: list[Path], **changes: Any) -> Record:
    """A run with these paths, of which the first one decided, and the calls that drew them."""
    verdict = verification(answer=paths[0]["answer"], best_path=0, paths=paths)
    calls = [call("answer_fast", 0, [1, 2, 3, 4, 5], 1.0, 29.0)]
    for i, drawn in enumerate(paths):
        branch = drawn.get("branch")
        assert branch is not None
        begins_with = branch["token_ids"][: branch["at"] + 1] if branch["parent"] is not None else []
        sampling: Mapping[str, Any] = {"temperature": 0.0, "max_tokens": 64, "begins_with": begins_with}
        calls.append(call("expand_cot", i, [100 + i], 32.0, 80.0, sampling=dict(sampling)))
    return record(**{"verification": verdict, "calls": calls, **changes})


def of_four_leaves(**changes: Any) -> Record:
    return recorded(four_leaves(), **changes)


def large(n_leaves: int = 64, n_tokens: int = 250, n_anchors: int = 20) -> Record:
    """Leaves that all branch from the one before, at its first anchor, and have this many tokens and anchors of their
    own."""
    step = n_tokens // n_anchors
    paths = []
    for i in range(n_leaves):
        text = "a" + "b" * i + "a" * n_tokens
        anchors = [anchor(i + 1 + step * n, ("a", 0.6), ("b", 0.3), ("c", 0.1)) for n in range(n_anchors)]
        paths.append(leaf(i, text, 0.5, None if i == 0 else i - 1, i, *anchors))
    return recorded(paths)
