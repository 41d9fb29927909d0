"""What the training of a generator changes: accuracy and tokens by route, and whether the scorer still holds.

    python examples/studies/generator_training.py before=egrm_graph/models/egrm-tiny mixture=sft-0,sft-1,sft-2 \
        chance=control-0,control-1,control-2 pair=pair-0,pair-1,pair-2 --questions questions.jsonl

Each arm is a name and the folders of its models, one for each seed. For each model and question it draws fast answers,
and paths until the scorer is sure, and decides in three ways: never reasoning, always reasoning, and by the gate. So
the three are paired, and so are the arms. Differences are over the first arm. Give two arms with --against to compare
these as well. What was measured is stored in --cache and not measured again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

from egrm_graph.benchmark.demo_methods import decided, is_right, reasoned
from egrm_graph.benchmark.held_out import BenchQuestion, held_out
from egrm_graph.benchmark.published_sets import read_questions
from egrm_graph.fine_tuning.question_draws import draw_fast
from egrm_graph.intervals import Columns, Estimate, bootstrap
from egrm_graph.parts import Parts, assemble
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.scoring.score_calibration import bins_of_equal_width, calibration_error
from egrm_graph.settings import BUNDLED_SCORER, Settings
from egrm_graph.terminal.tables import Column, Table, standard_output

METHODS = ("never", "always", "gate")


@dataclass(frozen=True)
class OnQuestion:
    """What one model does on one question."""

    certain: bool
    never: bool
    """Whether the most frequent fast answer is right."""
    always: bool
    """Whether the scorer's choice among the paths is right."""
    first_path: bool
    """Whether the first path is right, which is one sample at temperature 1."""
    score: float | None
    """The score of the first path."""
    fast_tokens: int
    path_tokens: int

    def right(self, method: str) -> bool:
        direct = method == "never" or (method == "gate" and self.certain)
        return self.never if direct else self.always

    def tokens(self, method: str) -> int:
        fast = 0 if method == "always" else self.fast_tokens
        return fast + (self.path_tokens if method == "always" or (method == "gate" and not self.certain) else 0)


async def measure(folder: Path, questions: Sequence[BenchQuestion], options: argparse.Namespace) -> list[OnQuestion]:
    """What the model in this folder does on the questions."""
    settings = Settings(engine="embedded", model=str(folder), task=options.task, scorer=str(options.scorer))
    parts = assemble(settings)
    slots = asyncio.Semaphore(options.concurrency)

    async def one(question: BenchQuestion) -> OnQuestion:
        async with slots:
            return await on_question(parts, question)

    try:
        return list(await asyncio.gather(*map(one, questions)))
    finally:
        await parts.aclose()


async def on_question(parts: Parts, question: BenchQuestion) -> OnQuestion:
    fast, slow = await draw_fast(parts, question.input), await reasoned(parts, question)
    chosen, first = decided(parts, question, slow), slow.scored["paths"][0]
    return OnQuestion(
        certain=fast.certain,
        never=is_right(parts, question, fast.answer),
        always=chosen.right,
        first_path=is_right(parts, question, first["answer"]),
        score=first["score"],
        fast_tokens=fast.drawn["usage"]["completion_tokens"],
        path_tokens=chosen.completion_tokens,
    )


def cached(
    arm: str, folder: Path, questions: Sequence[BenchQuestion], options: argparse.Namespace, err: Console
) -> list[OnQuestion]:
    """As measured before, if it was."""
    file: Path = options.cache / f"{arm}-{folder.name}-{len(questions)}.json"
    if not file.exists():
        err.print(Text(f"measuring {folder}"))
        found = asyncio.run(measure(folder, questions, options))
        options.cache.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([asdict(each) for each in found]) + "\n", "utf-8")
    return [OnQuestion(**row) for row in json.loads(file.read_text("utf-8"))]


def mean_of(seeds: Sequence[Sequence[OnQuestion]], value: str, method: str = "") -> Columns:
    """A measure of each question, the mean over the seeds: (1, questions)."""
    rows = [
        [float(getattr(each, value)(method) if method else getattr(each, value)) for each in found] for found in seeds
    ]
    mean: Columns = np.array(rows).mean(axis=0, keepdims=True)
    return mean


def average(columns: Columns) -> float:
    return float(columns[0].mean())


def ahead(one: Columns, other: Columns) -> Estimate:
    """The paired difference in points."""
    return bootstrap(np.concatenate([one, other]), lambda both: 100 * float((both[0] - both[1]).mean()))


def error_of(seeds: Sequence[Sequence[OnQuestion]]) -> Estimate:
    """The expected calibration error of the scorer on the first paths, the mean over the seeds."""
    rows = [[(np.nan if each.score is None else each.score, each.first_path) for each in found] for found in seeds]
    columns = np.array(rows, dtype=float).transpose(0, 2, 1).reshape(2 * len(seeds), -1)  # (2 S, questions)

    def error(drawn: Columns) -> float:
        errors = []
        for score, right in drawn.reshape(len(seeds), 2, -1):
            known = ~np.isnan(score)
            bins = bins_of_equal_width(score[known].tolist(), right[known].tolist())
            errors.append(calibration_error(bins) if bins else np.nan)
        return float(np.mean(errors))

    return bootstrap(columns, error, draws=500)


def tables(arms: Mapping[str, Sequence[Sequence[OnQuestion]]]) -> list[Table]:
    """The table of the routes, and that of the single paths."""
    first = next(iter(arms.values()))
    headings = ("accuracy", "points over the first arm", "tokens", "by seed")
    routes = Table("arm", "method", *(Column(heading, right=True) for heading in headings))
    of_paths = ("one path right", "points over the first arm", "score", "calibration error", "direct", "direct right")
    paths = Table("arm", *(Column(heading, right=True) for heading in of_paths))
    for name, seeds in arms.items():
        for method in METHODS:
            right = mean_of(seeds, "right", method)
            routes.add_row(
                name,
                method,
                bootstrap(right, average).percent(),
                "" if seeds is first else ahead(right, mean_of(first, "right", method)).points(),
                f"{mean_of(seeds, 'tokens', method).mean():.1f}",
                " ".join(f"{100 * np.mean([each.right(method) for each in found]):.1f}" for found in seeds),
            )
        path, error = mean_of(seeds, "first_path"), error_of(seeds)
        scores = [each.score for found in seeds for each in found if each.score is not None]
        certain = [each.never for found in seeds for each in found if each.certain]
        paths.add_row(
            name,
            bootstrap(path, average).percent(),
            "" if seeds is first else ahead(path, mean_of(first, "first_path")).points(),
            f"{np.mean(scores):.3f}",
            f"{error.value:.3f} [{error.low:.3f}, {error.high:.3f}]",
            f"{100 * mean_of(seeds, 'certain').mean():.1f} %",
            f"{100 * np.mean(certain):.1f} %" if certain else "",
        )
    return [routes, paths]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("arms", nargs="+", metavar="NAME=FOLDER[,FOLDER...]", help="the models of each arm")
    parser.add_argument("--questions", type=Path, help="held-out questions; without it, those of the package")
    parser.add_argument("--first", type=int, default=1000, help="how many of them, from the first on")
    parser.add_argument("--against", nargs=2, action="append", default=[], metavar="ARM", help="also compare these")
    parser.add_argument("--task", default="arithmetic")
    parser.add_argument("--scorer", type=Path, default=bundled(BUNDLED_SCORER))
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--cache", type=Path, default=Path("generator-figures"), help="folder for what was measured")
    options = parser.parse_args()
    out, err = standard_output(), Console(stderr=True)
    given = read_questions(options.questions) if options.questions else held_out(options.first)
    questions = given[: options.first]
    named = [arm.partition("=")[::2] for arm in options.arms]
    arms = {
        name: [cached(name, Path(folder), questions, options, err) for folder in folders.split(",")]
        for name, folders in named
    }
    for table in tables(arms):
        out.print(table)
    for one, other in options.against:
        for method in METHODS:
            found = ahead(mean_of(arms[one], "right", method), mean_of(arms[other], "right", method))
            out.print(Text(f"{one} over {other}, {method}: {found.points()} points"))
        found = ahead(mean_of(arms[one], "first_path"), mean_of(arms[other], "first_path"))
        out.print(Text(f"{one} over {other}, one path: {found.points()} points"))
    out.print(Text(f"{len(questions):,} questions. Brackets are 95 % intervals over questions, paired.", "dim"))


if __name__ == "__main__":
    main()
