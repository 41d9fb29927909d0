"""`egrm verify`: verify many questions, from JSON lines to JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from egrm_graph.cli.answering import Answering
from egrm_graph.cli.json_lines import Line
from egrm_graph.cli.jsonl_job import (
    ConcurrencyOption,
    FileArgument,
    JsonlJob,
    OutputOption,
    OverwriteOption,
    ResumeOption,
)
from egrm_graph.cli.run_progress import VerifyCounts
from egrm_graph.cli.shared_options import with_settings
from egrm_graph.settings import Settings

if TYPE_CHECKING:
    from egrm_graph.parts import Parts
    from egrm_graph.state import Input
    from egrm_graph.verification import Verification


@with_settings
def verify(
    file: FileArgument,
    *,
    settings: Settings,
    output: OutputOption = None,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    concurrency: ConcurrencyOption = 32,
) -> None:
    """Verify the questions in a file of JSON lines. Each gives one JSON line, in the same order.

    A line in has a "question", or chat "messages" that end with one. It may have an "id" and a "reference" answer.
    Judging tasks also need "candidates", and may use "tools" or a "rubric".

    Exit status: 0 when every line has an answer, 1 when some have none, 2 when nothing could be asked.

    \fAn "id" is a string or a number, and the line number where it is missing. A "reference" is a string, a number, or
    true or false. Blank lines and other fields are ignored.

    A line out has the "id" and the verification. If the line could not be asked, it has the "id", the line number as
    "line", and the reason as "error", and the other lines continue.

    With --output, each result is written as soon as it is ready, and the file is sorted at the end. A run that is
    killed loses only the questions in progress, and --resume asks only those.
    """
    job = JsonlJob.prepared(file, output, concurrency, resume=resume, overwrite=overwrite)
    job.run(settings, _answering, VerifyCounts(), Console(stderr=True, highlight=False))


def _answering(parts: Parts) -> Answering[Verification]:
    from egrm_graph.graph import build_graph

    graph = build_graph(parts.settings, client=parts.client, scorer=parts.scorer, store=parts.store)

    async def answer(line: Line) -> Verification:
        graph_input: Input = line.inputs  # type: ignore[assignment]
        verification: Verification = (await graph.ainvoke(graph_input))["verification"]
        return verification

    return Answering(answer, _all_lost, parts.client.check)


def _all_lost(verification: Verification) -> bool:
    return verification["status"] == "abstained" and all(sample["error"] for sample in verification["samples"])
