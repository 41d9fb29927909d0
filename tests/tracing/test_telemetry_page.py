"""docs/guides/telemetry.md names every span, attribute and metric there is, and no other."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from egrm_graph.errors import ServerError
from tests.tracing.records import PROMPT, call, record, verification
from tests.tracing.telling import Told, attributes, changed, drive, plain

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "telemetry.md").read_text()
PREFIXES = ("egrm.", "gen_ai.", "server.", "error.")


def names_on_the_page() -> set[str]:
    """All names in code marks; one that begins with a dot goes on from the one before it."""
    found, stem = set[str](), ""
    for word in re.findall(r"`([\w.]+)`", PAGE):
        name = f"{stem}{word}" if word.startswith(".") else word
        if name.startswith(PREFIXES) and not name.endswith("."):
            found.add(name)
            if not word.startswith("."):
                stem = name.rpartition(".")[0]
    return found


def everything_told() -> set[str]:
    told = Told(rewrite=plain)
    judged = record(
        verification=verification(winner=0),
        asked={**(record()["asked"] or {}), "judged": {"texts": ["a"]}},
    )
    retried = [{"at_ms": 1.0, "reason": "503"}]
    failed = changed(call("answer_fast", 0, [1], 0.0, 5.0), ending="failed", error="ServerError: no", retries=retried)
    for each in (record(), judged):
        asyncio.run(drive(told.spans_to.started("egrm-tiny", "arithmetic"), each))
    run = told.spans_to.started("egrm-tiny", "arithmetic")
    try:
        with run.call(failed, PROMPT):
            raise ServerError("no")
    except ServerError:
        pass
    points = told.points
    return {
        *(name for span in told.spans for name in attributes(span)),
        *(name for span in told.spans for event in span.events for name in (event.name, *(event.attributes or {}))),
        *points,
        *(name for metric in points.values() for of, _ in metric for name in of),
    }


def test_the_page_names_everything_that_is_told_and_nothing_else() -> None:
    assert names_on_the_page() == everything_told()
