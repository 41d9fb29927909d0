"""Requests to vLLM's `/pooling` for a scorer, and their answers: one logit per row of token ids, or one per token.

A server does one of the two tasks: `classify`, or `token_classify`. The route returns the exact float32 logits, before
any activation. They are encoded as bytes, because JSON cannot hold a NaN. Written for vLLM 0.32.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from egrm_graph.errors import ModelError, ServerError

ROUTE = "/pooling"

PoolingTask = Literal["classify", "token_classify"]
_OTHER_TASK = re.compile(r"pooling_task|pooler-config|Unsupported task")


def pooling_body(model: str, rows: Sequence[Sequence[int]], task: PoolingTask) -> dict[str, Any]:
    """The request for one logit per row, or for one per token."""
    return {
        "model": model,
        "task": task,
        "input": [list(row) for row in rows],
        "use_activation": False,
        "encoding_format": "base64",
        "embed_dtype": "float32",
        "endianness": "little",
    }


def does_other_task(error: Exception) -> bool:
    """Whether a server refused a request because it does another task."""
    return _OTHER_TASK.search(str(error)) is not None


def read_logits(body: Mapping[str, Any], lengths: Sequence[int]) -> list[list[float]]:
    """The logits of an answer, in the order of the rows. `lengths` has how many each row must have. Any of them may be
    NaN or infinite.

    Raises:
        ServerError: the answer does not have this form.
        ModelError: the model has more than one label.
    """
    n = len(lengths)
    try:
        items = sorted(body["data"], key=lambda item: int(item["index"]))
        if [item["index"] for item in items] != list(range(n)):
            raise ServerError(f"the server answered with {len(items)} scores, but {n} were requested")
        return [_logits(item["data"], length) for item, length in zip(items, lengths, strict=True)]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServerError(f"the server's scores cannot be read: {type(error).__name__}: {error}") from error


def _logits(data: str, n: int) -> list[float]:
    values = base64.b64decode(data, validate=True)
    labels, rest = divmod(len(values), 4 * n)
    if rest or not labels:
        raise ValueError(f"a score of {len(values)} bytes" if n == 1 else f"{n} scores of {len(values)} bytes")
    if labels > 1:
        raise ModelError(f"the model that is served has {labels} labels, but a scorer has 1")
    return list(struct.unpack(f"<{n}f", values))
