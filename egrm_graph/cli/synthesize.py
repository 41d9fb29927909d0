"""`egrm synthesize`: make judgments to train a judge on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from egrm_graph.cli.answering import Answering
from egrm_graph.cli.bench import saving
from egrm_graph.cli.draw_settings import settle_settings
from egrm_graph.cli.interruption import INTERRUPTED
from egrm_graph.cli.json_lines import Line
from egrm_graph.cli.jsonl_job import JsonlJob, OverwriteOption, ResumeOption
from egrm_graph.cli.run_progress import Counts
from egrm_graph.cli.shared_options import with_settings
from egrm_graph.cli.synthesis_table import print_report
from egrm_graph.errors import InputError
from egrm_graph.settings import Settings

if TYPE_CHECKING:
    from egrm_graph.parts import Parts
    from egrm_graph.synthesis.pair_synthesis import SynthesizedPair
    from egrm_graph.synthesis.synthesis_report import SynthesisReport

STAGES, CALLS, SETTINGS = "stages.jsonl", "calls", "settings.json"
JUDGMENTS, REPORT = "judgments.jsonl", "report.json"

PairsArgument = Annotated[str, typer.Argument(metavar="PAIRS|-", help="JSON lines. - is standard input.")]
StyleOption = Annotated[
    Literal["breadth", "depth", "mixed"], typer.Option(metavar="CHOICE", help="breadth|depth|mixed.")
]


@dataclass
class SynthesisCounts(Counts["SynthesizedPair"]):
    """Counts of the pairs of `egrm synthesize`."""

    rows: int = 0
    lost: int = 0
    """Pairs for which every call failed."""
    requests: int = 0
    completion_tokens: int = 0

    @property
    def all_answered(self) -> bool:
        return not (self.failed or self.lost)

    def count(self, answer: SynthesizedPair) -> None:
        self.rows += answer["row"] is not None
        self.lost += not answer["judged"]
        self.requests += sum(usage["requests"] for usage in answer["usage"].values())
        self.completion_tokens += sum(usage["completion_tokens"] for usage in answer["usage"].values())

    def summary(self) -> str:
        parts = [f"{self.done} pairs", f"{self.rows} rows"]
        parts += [f"{self.lost} lost"] if self.lost else []
        parts += [f"{self.failed} bad lines"] if self.failed else []
        return f"{', '.join(parts)}; {self.completion_tokens:,} completion tokens in {self.requests:,} requests"


@with_settings
def synthesize(
    pairs: PairsArgument,
    *,
    settings: Settings,
    output: Annotated[Path, typer.Option(help="Folder for the judgments.")],
    style: StyleOption = "mixed",
    rationales: Annotated[int, typer.Option(min=1, metavar="N", help="Rationales for each pair.")] = 2,
    right_only: Annotated[bool, typer.Option("--right-only", help="Leave out wrong verdicts.")] = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    concurrency: Annotated[int, typer.Option(min=1, metavar="N", help="Pairs at once, at most.")] = 32,
) -> None:
    """Make judgments by principles from lines with "question", "candidates", and "reference". Train a judge on
    --output/judgments.jsonl with `egrm train judge`.

    Exit status: 0 when every pair was judged, 1 when some could not be, 2 when nothing could be done.

    \fThe model writes --rationales ordinary judgments of each pair and splits each into units: a principle, a judgment,
    and a sub-verdict. It says which units have the same principle; code merges those, quoting them alone, and leaves
    out the least frequent principles beyond --principles. In depth, the model also solves the task, and judges again
    against its solution.

    In the style mixed, the field "domain" of a pair decides: breadth for preference, depth for correctness. Without it,
    the model says whether there is one right answer.

    judgments.jsonl has "prompt" and "completion" in TRL's form, with "id", "label", "style", and "domain". A pair whose
    judgment cannot be written or read is left out. report.json has the accuracy of each stage, what was lost and why,
    lengths, and the calls of each stage. stages.jsonl has what each stage made of each pair. --resume continues an
    interrupted run from these, and from the folder calls, so no call is made twice.
    """
    settings = settings.model_copy(
        update={"scorer": None, "scorer_url": None, "tree_scorer": None, "aggregation": "auto"}
    )
    if settings.task == "auto":
        settings = settings.model_copy(update={"task": "pairwise"})
    output.mkdir(exist_ok=True)
    stages = output / STAGES
    job = JsonlJob.prepared(pairs, stages, concurrency, resume=resume, overwrite=overwrite, unique_ids=True)
    options = {"style": style, "rationales": rationales, "right_only": right_only}
    settle_settings(output / SETTINGS, settings, options, resume=resume and stages.exists())
    if overwrite and (output / CALLS).exists():
        shutil.rmtree(output / CALLS)
    err = Console(stderr=True, highlight=False)
    job = replace(job, wrapped=saving(output / CALLS, ask=True))
    with _written_at_the_end(output, err):
        job.run(
            settings,
            lambda parts: _answering(parts, style, rationales=rationales, right_only=right_only),
            SynthesisCounts(),
            err,
        )


@contextmanager
def _written_at_the_end(folder: Path, err: Console) -> Iterator[None]:
    try:
        yield
    except typer.Exit as ended:
        if ended.exit_code != INTERRUPTED:
            report = _write_judgments(folder)
            print_report(report, err)
            typer.echo(json.dumps({"judgments": str(folder / JUDGMENTS), **report}))
            if not report["rows"]:
                raise InputError(f"no pair gave a judgment; {folder / REPORT} says why") from None
        raise


def _write_judgments(folder: Path) -> SynthesisReport:
    """Write the rows and the report of all pairs in the folder."""
    from egrm_graph.synthesis.synthesis_report import synthesis_report

    pairs = [json.loads(line) for line in (folder / STAGES).read_bytes().split(b"\n") if line.strip()]
    pairs = [pair for pair in pairs if "judged" in pair]
    rows = [{"id": pair["id"], **pair["row"]} for pair in pairs if pair["row"] is not None]
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / JUDGMENTS).write_text("".join(lines), "utf-8")
    report = synthesis_report(pairs)
    (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    return report


def _answering(
    parts: Parts, style: Literal["breadth", "depth", "mixed"], *, rationales: int, right_only: bool
) -> Answering[SynthesizedPair]:
    from egrm_graph.fine_tuning.judged_pairs import pair_of
    from egrm_graph.synthesis.pair_synthesis import Synthesis

    synthesis = Synthesis.of(parts, style, rationales=rationales, right_only=right_only)

    async def answer(line: Line) -> SynthesizedPair:
        return await synthesis.synthesize(pair_of({**line.others, **line.inputs, "id": line.id}), line.number)

    # If a call failed, the check finds out whether the server is gone. Then the run ends before the pair is written,
    # and can be resumed.
    return Answering(answer, lambda pair: pair["failed_calls"] > 0, parts.client.check)
