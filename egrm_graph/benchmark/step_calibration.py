"""Calibrate what the scores of steps add up to, on held-out rollouts.

    python -m egrm_graph.benchmark.step_calibration held_out.jsonl --scorer my-scorer --steps ";" --aggregation product

The rollouts come from `egrm rollouts`, on questions that the scorer was not trained on. The result goes into the
scorer's `egrm.json` as `path_calibration`. With the same steps and aggregation, its scores are then probabilities.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from egrm_graph.benchmark.rule_comparison import score_steps
from egrm_graph.errors import EgrmError, SettingsError
from egrm_graph.parts import load_scorer
from egrm_graph.scoring.aggregate_calibration import AggregateCalibration, calibrate_aggregate
from egrm_graph.scoring.checkpoint import MANIFEST, read_json, read_manifest
from egrm_graph.scoring.scorer import StepScorer
from egrm_graph.scoring.step_grading import step_grading
from egrm_graph.steps.aggregation import AGGREGATIONS
from egrm_graph.terminal.tables import standard_output
from egrm_graph.training.rollout_file import Rollout
from egrm_graph.training.training_data import read_rollouts


async def calibrate_steps(
    rollouts: Sequence[Rollout], folder: Path, steps: str, aggregation: str, err: Console
) -> AggregateCalibration:
    """The calibration of a scorer's aggregate, fitted on these paths.

    Raises:
        ModelError: the scorer cannot be loaded.
        SettingsError: it cannot score steps, or `steps` does not say where they end.
        InputError: nothing can be fitted on these paths.
    """
    scorer = load_scorer(folder)
    try:
        grading = step_grading(scorer, steps, aggregation)
        if grading is None:
            raise SettingsError(f"the scorer in {folder} was not trained on steps; set --steps to where they end")
        assert isinstance(scorer, StepScorer)  # `step_grading` has checked it
        found = (await score_steps(scorer, folder.name, rollouts, grading.rule, err))[grading.aggregation]
    finally:
        await scorer.aclose()
    scored = [
        [(score, path.target) for score, path in zip(own, rollout.paths, strict=True) if score is not None]
        for own, rollout in zip(found, rollouts, strict=True)
    ]
    return calibrate_aggregate(
        grading.rule,
        grading.aggregation,
        [[score for score, _ in own] for own in scored],
        [[target for _, target in own] for own in scored],
    )


def save(calibration: AggregateCalibration, folder: Path) -> None:
    """Put the calibration into the scorer's `egrm.json`."""
    file = folder / MANIFEST
    saved = read_json(file) if file.exists() else read_manifest(folder).model_dump(include={"input"})
    text = json.dumps({**saved, "path_calibration": calibration.model_dump()}, indent=2) + "\n"
    written = file.with_suffix(".new")
    written.write_text(text, "utf-8")
    written.replace(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("rollouts", type=Path, help="a file of rollouts on questions that the scorer has not seen")
    parser.add_argument("--scorer", type=Path, required=True, help="the scorer's folder")
    parser.add_argument(
        "--steps", default="auto", metavar="RULE", help="lines, sentences, or a regular expression that ends a step"
    )
    parser.add_argument("--aggregation", choices=["auto", *AGGREGATIONS], default="auto")
    options = parser.parse_args()
    err = Console(stderr=True)
    try:
        work = calibrate_steps(read_rollouts(options.rollouts), options.scorer, options.steps, options.aggregation, err)
        found = asyncio.run(work)
        save(found, options.scorer)
    except EgrmError as error:
        sys.exit(f"error: {error}")
    standard_output().print(
        f"The {found.aggregation} of {found.paths:,} paths of {found.questions:,} questions: expected calibration "
        f"error {found.ece_before:.3f}, after calibration {found.ece_after:.3f} (cross-fitted). Saved in "
        f"{options.scorer / MANIFEST}",
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
