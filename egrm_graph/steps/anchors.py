"""Anchors: the tokens of a path at which the model was unsure.

Source: EDU-PRM, arXiv:2503.22233. Differs: a server gives the log-probabilities of only the k likeliest tokens, so the
entropy of an anchor is an interval, and its lower end has to exceed the threshold; and the threshold may be a quantile.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence

from egrm_graph.clients.client import Completion
from egrm_graph.uncertainty.entropy import entropy_interval
from egrm_graph.verification import Anchor, Token

UNDECODED = "\ufffd"
"""Stands for a part of a character."""


def entropies(completion: Completion) -> list[tuple[float, float]]:
    """The bounds of the entropy of each generated token's distribution, in nats, (T, 2)."""
    return [entropy_interval([token["logprob"] for token in place]) for place in completion.likeliest or ()]


def quantile_of(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed; infinity without any."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)] if ranked else math.inf


def anchors_of(
    completion: Completion,
    *,
    threshold: float,
    before: int = 0,
    others: int = 1,
    exempt: Collection[str] = (),
    pattern: str | None = None,
    least: float = 0.0,
) -> list[Anchor]:
    """The anchors among the generated tokens of a completion that has its `likeliest` tokens, in order.

    A token is one if the entropy's lower bound is above the `threshold` (nats). The token that ends the text is not,
    nor is one inside a character, nor one whose text without white space is `exempt`, nor one in whose text a `pattern`
    is not found. `before` tokens come before the generated ones. An anchor has up to `others` other tokens, each with
    at least the probability `least` and a text of its own; without any, it is none.
    """
    found: list[Anchor] = []
    ids = completion.token_ids or ()
    bounds = entropies(completion)
    for i, start in enumerate(token_starts(completion)):
        low, high = bounds[i]
        taken = next((token for token in completion.likeliest[i] if token["id"] == ids[i]), None)  # type: ignore[index]
        if start is None or low <= threshold or taken is None or taken["text"].strip() in exempt:
            continue
        if pattern is not None and re.search(pattern, taken["text"]) is None:
            continue
        rivals = [
            token
            for token in completion.likeliest[i]  # type: ignore[index]
            if token["id"] != ids[i] and _readable(token["text"]) and math.exp(token["logprob"]) >= least
        ]
        if rivals:
            found.append(
                Anchor(
                    at=before + i,
                    end=start,
                    entropy=low,
                    entropy_most=max(low, high),
                    taken=taken,
                    others=rivals[:others],
                )
            )
    return found


def token_starts(completion: Completion) -> list[int | None]:
    """For each generated token, how many characters of the text come before it; None if it has no text of its own, or
    it is not known: inside a character, and if the text is not what its tokens say."""
    text, tokens, place = completion.text, completion.tokens or (), completion.before
    starts: list[int | None] = []
    for piece in tokens:
        if not piece or UNDECODED in piece:
            starts.append(None)
            continue
        there = text.find(piece, place)
        # A tokenizer may leave out the space before a token that it decodes alone. Parts of a character may be between.
        lost = starts and starts[-1] is None
        if there < 0 or (there - place > (4 if lost else 1)):
            return starts + [None] * (len(tokens) - len(starts))
        starts.append(there)
        place = there + len(piece)
    return starts


def _readable(text: str) -> bool:
    return bool(text) and UNDECODED not in text


def likelihood(token: Token) -> float:
    """The token's probability, in [0, 1]."""
    return math.exp(min(0.0, token["logprob"]))
