"""Write the saved paths of `egrm bench --draws` as rollouts, to compare scorers on them:

    python examples/studies/rollouts_of_draws.py gsm8k.jsonl.gz --sample 70 --model NAME --draws draws --paths 8 \
        --settings path_temperature=0.7,path_top_k=20,path_max_tokens=512 --output test.jsonl
    python -m egrm_graph.benchmark.rule_comparison test.jsonl --scorer my-scorer --sizes 4 8

The settings are those that the paths were drawn with. No model is asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

from egrm_graph.benchmark.baselines import PathSampler
from egrm_graph.benchmark.bench_methods import settings_in
from egrm_graph.benchmark.demo_methods import is_right
from egrm_graph.benchmark.held_out import BenchQuestion
from egrm_graph.benchmark.question_sets import Choice, Levels, read_sets
from egrm_graph.clients.client import Client
from egrm_graph.clients.engines import load_client
from egrm_graph.clients.saved_draws import SavedDraws
from egrm_graph.errors import EgrmError, InputError
from egrm_graph.parts import Parts, assemble
from egrm_graph.settings import Settings
from egrm_graph.training.roll_out import PathRow, RolloutRow


async def rollout(parts: Parts, question: BenchQuestion, n_paths: int) -> RolloutRow:
    """The saved paths of a question, each right or wrong.

    Raises:
        InputError: a path is not saved.
    """
    sampler = PathSampler(parts, question, n_paths)
    await sampler.more(n_paths)
    if missing := [path["error"] for path in sampler.paths if path["error"] is not None]:
        raise InputError(f"{question.id}: {missing[0]}")
    paths = [
        PathRow(
            text=path["text"] or "",
            answer=path["answer"],
            correct=is_right(parts, question, path["answer"]),
            n_tokens=None if completion is None else completion.n_tokens,
            logprob=None,
            min_logprob=None,
        )
        for path, completion in zip(sampler.paths, sampler.completions, strict=True)
    ]
    return RolloutRow(question=question.text, reference=question.reference, level=None, paths=paths, lost=0, reasons=[])


async def rollouts(
    settings: Settings, model: Client, draws: Path, questions: Sequence[BenchQuestion], n_paths: int
) -> list[dict[str, object]]:
    """The rollouts of all questions, with their ids, from the saved draws of the model.

    Raises:
        InputError: the folder has no draws of the model, or a path is not saved.
    """
    async with aclosing(SavedDraws(model, draws, ask=False)) as client:
        parts = assemble(settings, client)
        return [{"id": question.id, **await rollout(parts, question, n_paths)} for question in questions]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("file", type=Path, help="questions, as `egrm bench` reads them")
    parser.add_argument("--levels", type=Levels.read, help="the levels to use, as in 1-3 (default: all)")
    parser.add_argument("--sample", type=int, help="use only so many questions (default: all)")
    parser.add_argument("--sample-seed", type=int, default=0, help="which ones (default 0)")
    parser.add_argument("--model", required=True, help="the name of the model that drew the paths")
    parser.add_argument("--draws", type=Path, required=True, help="the folder with saved draws")
    parser.add_argument("--paths", type=int, default=8, help="paths of a question (default 8)")
    parser.add_argument("--settings", type=settings_in, default={}, help="settings of the paths: NAME=VALUE,...")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    options = parser.parse_args()
    try:
        settings = Settings(engine="vllm", model=options.model, task="answer", scorer=None).overridden(options.settings)
        questions = read_sets(
            [str(options.file)], "answer", Choice(options.levels, options.sample, options.sample_seed)
        )
        model = load_client(settings)  # it only says what it is
        rows = asyncio.run(rollouts(settings, model, options.draws, questions, options.paths))
    except EgrmError as error:
        parser.error(str(error))
    options.output.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


if __name__ == "__main__":
    main()
