"""`egrm mixture`: draw the data that a generator is fine-tuned on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from egrm_graph.cli.answering import Answering
from egrm_graph.cli.draw_settings import settle_settings
from egrm_graph.cli.interruption import INTERRUPTED
from egrm_graph.cli.json_lines import Line
from egrm_graph.cli.jsonl_job import ConcurrencyOption, FileArgument, JsonlJob, OverwriteOption, ResumeOption
from egrm_graph.cli.run_progress import Counts
from egrm_graph.cli.shared_options import with_settings
from egrm_graph.errors import InputError
from egrm_graph.settings import Settings

if TYPE_CHECKING:
    from egrm_graph.fine_tuning.mixture_draws import MixtureDraw
    from egrm_graph.fine_tuning.sample_mixture import SampleId
    from egrm_graph.parts import Parts

DRAWS, SETTINGS, REPORT = "draws.jsonl", "settings.json", "report.json"
MIXTURE, CONTROL = "mixture.jsonl", "control.jsonl"


@dataclass
class MixtureCounts(Counts["MixtureDraw"]):
    """Counts of the questions of `egrm mixture`."""

    certain: int = 0
    wrong: int = 0
    """Certain, and wrong."""
    paths: int = 0
    right_paths: int = 0
    completion_tokens: int = 0

    def count(self, answer: MixtureDraw) -> None:
        self.certain += answer["certain"]
        self.wrong += answer["certain"] and not answer["right"]
        self.paths += answer["paths"] or 0
        self.right_paths += answer["right_paths"]
        self.completion_tokens += answer["completion_tokens"]

    def summary(self) -> str:
        parts = [f"{self.done} questions", f"{self.certain} certain ({self.wrong} of them wrong)"]
        parts += [f"{self.paths} paths", f"{self.right_paths} of them right"]
        parts += [f"{self.failed} bad lines"] if self.failed else []
        return f"{', '.join(parts)}; {self.completion_tokens:,} completion tokens"


@with_settings
def mixture(
    file: FileArgument,
    *,
    settings: Settings,
    output: Annotated[Path, typer.Option(help="Folder for the mixture.")],
    control: Annotated[bool, typer.Option("--control", help="Also write a mixture split by chance.")] = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    concurrency: ConcurrencyOption = 32,
) -> None:
    """Draw what a generator learns from: short where it is sure, long elsewhere.

    Train on --output/mixture.jsonl with `egrm train generator`. A line in is a "question" with a "reference".

    Exit status: 0 when every line could be asked, 1 when some could not, 2 when nothing could be asked.

    \fA question whose fast answers are certain and right gives such an answer, and any other one its best-scored right
    path. mixture.jsonl has a line for each question with a sample: its "id", its "kind" (short or long), and "prompt"
    and "completion" in TRL's form, which its trainers read directly. report.json counts the samples, the questions that
    are certain and wrong, which count as long, and those without a right path, which are left out. draws.jsonl has
    what was drawn, and --resume continues it.

    --paths paths (4) are drawn for each question that needs them, for all of them with --control. control.jsonl then
    has the same questions at about the same number of tokens, but chance decides which are short.
    """
    output.mkdir(exist_ok=True)
    draws = output / DRAWS
    job = JsonlJob.prepared(file, draws, concurrency, resume=resume, overwrite=overwrite, unique_ids=True)
    settle_settings(output / SETTINGS, settings, {"control": control}, resume=resume and draws.exists())
    with _split_at_the_end(output, control=control, seed=settings.seed):
        job.run(
            settings, lambda parts: _answering(parts, control), MixtureCounts(), Console(stderr=True, highlight=False)
        )


@contextmanager
def _split_at_the_end(folder: Path, *, control: bool, seed: int) -> Iterator[None]:
    try:
        yield
    except typer.Exit as ended:
        if ended.exit_code != INTERRUPTED:
            typer.echo(json.dumps(_write_mixture(folder, control=control, seed=seed)))
        raise


def _write_mixture(folder: Path, *, control: bool, seed: int) -> dict[str, Any]:
    """Write the mixture of all draws, and return its report."""
    from egrm_graph.fine_tuning.sample_mixture import mixture, random_mixture, report

    draws = _read_draws(folder / DRAWS)
    samples = mixture(draws)
    if not samples:
        raise InputError(f"{folder / DRAWS} has no question with a right answer or a right path; use a stronger model")
    _write_lines(folder / MIXTURE, [sample.row for sample in samples])
    values: dict[str, Any] = report(draws)._asdict()
    if control:
        chance = random_mixture(draws, seed)
        _write_lines(folder / CONTROL, [sample.row for sample in chance])
        values["control_short"] = sum(sample.kind == "short" for sample in chance)
        values["control_tokens"] = sum(sample.text["n_tokens"] or 0 for sample in chance)
    (folder / REPORT).write_text(json.dumps(values, indent=2) + "\n", "utf-8")
    return {"mixture": str(folder / MIXTURE), **values}


def _read_draws(file: Path) -> list[tuple[SampleId, MixtureDraw]]:
    """What was drawn, by the id of the question. Lines that could not be asked are left out."""
    rows = [json.loads(line) for line in file.read_bytes().split(b"\n") if line.strip()]
    return [(row.pop("id"), row) for row in rows if "certain" in row]


def _write_lines(file: Path, rows: Sequence[Any]) -> None:
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


def _answering(parts: Parts, every_path: bool) -> Answering[MixtureDraw]:
    from egrm_graph.fine_tuning.mixture_draws import draw_for_mixture, mixture_parts

    drawing = mixture_parts(parts)

    async def answer(line: Line) -> MixtureDraw:
        return await draw_for_mixture(drawing, line.inputs, every_path=every_path)

    def all_lost(draw: MixtureDraw) -> bool:
        return draw["lost"] > 0 and draw["short"] is None and not draw["right_paths"]

    return Answering(answer, all_lost, parts.client.check)
