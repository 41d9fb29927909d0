"""docs/guides/telemetry.md names every span, attribute and metric there is, and no other."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from egrm_graph.errors import ServerError
from tests.tracing.records import PROMPT, call, record, verification
from tests.tracing.reported_telemetry import ReportedTelemetry, attributes, changed, drive, plain

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "telemetry.md").read_text()
PREFIXES = ("egrm.", "gen_ai.", "server.", "error.")


def names_on_the_page() -> set[str]:
    """All names in code marks. A name that starts with a dot extends the previous one."""
    found, stem = set[str](), ""
    for word in re.findall(r"`([\w.]+)`", PAGE):
        name = f"{stem}{word}" if word.startswith(".") else word
        if name.startswith(PREFIXES) and not name.endswith("."):
            found.add(name)
            if not word.startswith("."):
                stem = name.rpartition(".")[0]
    return found


def reported_names() -> set[str]:
    reported = ReportedTelemetry(redact=plain)
    judged = record(
        verification=verification(winner=0),
        asked={**(record()["asked"] or {}), "judged": {"texts": ["a"]}},
    )
    retried = [{"at_ms": 1.0, "reason": "503"}]
    failed = changed(call("answer_fast", 0, [1], 0.0, 5.0), ending="failed", error="ServerError: no", retries=retried)
    for run_record in (record(), judged):
        asyncio.run(drive(reported.receiver.started("egrm-tiny", "arithmetic"), run_record))
    run = reported.receiver.started("egrm-tiny", "arithmetic")
    try:
        with run.call(failed, PROMPT):
            raise ServerError("no")
    except ServerError:
        pass
    points = reported.points
    return {
        *(name for span in reported.spans for name in attributes(span)),
        *(name for span in reported.spans for event in span.events for name in (event.name, *(event.attributes or {}))),
        *points,
        *(name for metric in points.values() for of, _ in metric for name in of),
    }


def test_the_page_lists_exactly_the_reported_names() -> None:
    assert names_on_the_page() == reported_names()
