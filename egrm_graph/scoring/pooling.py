"""Requests to vLLM's `/pooling` for a scorer, and their answers: one logit per row of token ids.

The route returns the exact float32 logits, before any activation. They are encoded as bytes, because JSON cannot hold a
NaN. Written for vLLM 0.32.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from egrm_graph.errors import ModelError, ServerError

ROUTE = "/pooling"


def pooling_body(model: str, rows: Sequence[Sequence[int]]) -> dict[str, Any]:
    """The request for one logit per row."""
    return {
        "model": model,
        "task": "classify",
        "input": [list(row) for row in rows],
        "use_activation": False,
        "encoding_format": "base64",
        "embed_dtype": "float32",
        "endianness": "little",
    }


def read_logits(body: Mapping[str, Any], n: int) -> list[float]:
    """The `n` logits of an answer, in the order of the rows. Any of them may be NaN or infinite.

    Raises:
        ServerError: the answer does not have this form.
        ModelError: the model has more than one label.
    """
    try:
        items = sorted(body["data"], key=lambda item: int(item["index"]))
        if [item["index"] for item in items] != list(range(n)):
            raise ServerError(f"the server answered with {len(items)} scores, but {n} were requested")
        return [_logit(item["data"]) for item in items]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServerError(f"the server's scores cannot be read: {type(error).__name__}: {error}") from error


def _logit(data: str) -> float:
    values = base64.b64decode(data, validate=True)
    if not values or len(values) % 4:
        raise ValueError(f"a score of {len(values)} bytes")
    if len(values) > 4:
        raise ModelError(f"the model that is served has {len(values) // 4} labels, but a scorer has 1")
    return float(struct.unpack("<f", values)[0])
