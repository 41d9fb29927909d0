"""`egrm verify`: many questions, JSON lines in and JSON lines out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from egrm_graph.cli.answering import Asking
from egrm_graph.cli.json_lines import Line
from egrm_graph.cli.jsonl_job import Concurrency, File, Job, Output, Overwrite, Resume
from egrm_graph.cli.run_progress import VerifyCounts
from egrm_graph.cli.shared_options import with_settings
from egrm_graph.settings import Settings

if TYPE_CHECKING:
    from egrm_graph.parts import Parts
    from egrm_graph.state import Input
    from egrm_graph.verification import Verification


@with_settings
def verify(
    file: File,
    *,
    settings: Settings,
    output: Output = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    concurrency: Concurrency = 32,
) -> None:
    """Verify questions from JSON lines, one JSON line out for each, in the same order.

    With --output, each result is written as soon as it is ready, and the file is sorted at the end: a run that is
    killed loses only the questions under way, and --resume asks only those.

    A line in is an object with a "question" (or chat "messages" that end with one), and perhaps an "id" (a string or
    a number; the line's number where there is none) and a "reference" answer (a string, a number, or true or false).
    For tasks that judge (--task pairwise, best_of_n, tool_calls or pointwise) it has "candidates", and perhaps "tools"
    or a "rubric". Other fields are passed over, and so are blank lines. A line out has the "id" and the verification
    or, where the line could not be asked, its number as "line" and the reason as "error"; the other lines go on.

    Exit status: 0 when every line got its answer, 1 when some did not, 2 when nothing could be asked.
    """
    job = Job.prepared(file, output, concurrency, resume=resume, overwrite=overwrite)
    job.run(settings, _asking, VerifyCounts(), Console(stderr=True, highlight=False))


def _asking(parts: Parts) -> Asking[Verification]:
    from egrm_graph.graph import build_graph

    graph = build_graph(parts.settings, client=parts.client, scorer=parts.scorer, store=parts.store)

    async def ask(line: Line) -> Verification:
        asked: Input = line.asked  # type: ignore[assignment]
        answered: Verification = (await graph.ainvoke(asked))["verification"]
        return answered

    return Asking(ask, _lost, parts.client.check)


def _lost(verification: Verification) -> bool:
    return verification["status"] == "abstained" and all(sample["error"] for sample in verification["samples"])
