"""Reads training data for a process scorer: paths with labeled steps, in JSON lines (also gzipped) or Parquet.

The fields of a row decide its format:

- rollouts with `steps`, as `egrm rollouts` writes them with a strategy that labels steps
- PRM800K: `{"question": {"problem"}, "label": {"steps": [{"completions": [{"text", "rating"}], "chosen_completion"}]}}`
- ProcessBench: `{"problem", "steps": [...], "label"}`, with the index of the first wrong step, or -1
- stepwise supervision, as TRL had it: `{"prompt", "completions": [...], "labels": [true, ...]}`

Rows with the same question form one question, so none of its paths is held out while others are trained on.

Sources: PRM800K, Lightman et al. 2023, arXiv:2305.20050; ProcessBench, Zheng et al. 2024, arXiv:2412.06559.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from egrm_graph.errors import InputError
from egrm_graph.settings import explain
from egrm_graph.training.rollout_file import Rollout, RolloutPath, RolloutStep
from egrm_graph.training.training_data import file_rows, questions_of, rollout_of, transcript

STEP_FORMATS = (
    "'paths' with 'steps' (rollouts), 'question' and 'label' (PRM800K), 'problem', 'steps' and 'label' (ProcessBench), "
    "or 'prompt', 'completions' and 'labels' (stepwise supervision)"
)
LINE, PARAGRAPH = "\n", "\n\n"
ANSWER_MARK = "# Answer"
"""In PRM800K, the last step of a solution has this line."""
RATINGS = {-1: 0.0, 0: 1.0, 1: 1.0}
"""The label of each rating of PRM800K. A neutral step is not wrong, and counts as right, as in its paper."""


def read_step_rollouts(file: Path) -> list[Rollout]:
    """Read all questions of a file whose paths have labeled steps.

    Raises:
        InputError: the file cannot be read, has no labeled step, or has a row that cannot be used. The message names
            the row.
    """
    rollouts: dict[str | int | float, Rollout] = {}
    paths: dict[str, list[RolloutPath]] = {}
    for where, _, row in file_rows(file):
        try:
            if row.keys() == {"id", "line", "error"}:  # a line that `egrm rollouts` could not ask
                continue
            if "paths" in row:
                rollout = rollout_of(row)
                if rollout.id in rollouts:
                    raise InputError(f"the id {rollout.id!r} was used before; give each row its own")
                rollouts[rollout.id] = rollout
            else:
                question, found = _stepwise(row)
                paths.setdefault(question, []).extend(found)
        except ValidationError as error:
            raise InputError(f"{where}: {explain(error)[:500]}") from error
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    questions = [*rollouts.values(), *questions_of({question: some for question, some in paths.items() if some})]
    if not any(path.steps for rollout in questions for path in rollout.paths):
        raise InputError(f"{file} has no labeled step; use rows with {STEP_FORMATS}")
    return questions


def _stepwise(row: Mapping[str, Any]) -> tuple[str, list[RolloutPath]]:
    """A question, and its paths."""
    if isinstance(row.get("label"), Mapping):
        question = row.get("question")
        problem = question.get("problem") if isinstance(question, Mapping) else None
        return transcript(problem), list(_prm800k(row["label"]))
    if "steps" in row and "label" in row:
        return transcript(row.get("problem")), [_process_bench(row)]
    if "completions" in row and "labels" in row:
        return transcript(row.get("prompt")), [_supervised(row)]
    raise InputError(f"a row needs {STEP_FORMATS}; this one has {', '.join(map(repr, list(row)[:8])) or 'nothing'}")


def _prm800k(label: Mapping[str, Any]) -> Iterator[RolloutPath]:
    """The chosen path, and a path for each rated alternative to one of its steps, which ends there.

    A step of a person has no rating, and so no label. The path is right if the labeler called it a solution. An
    alternative has no answer.
    """
    text = ""
    steps: list[RolloutStep] = []
    alternatives: list[RolloutPath] = []
    for number, step in enumerate(_list("label.steps", label.get("steps"))):
        completions = step.get("completions") or []
        chosen = step.get("chosen_completion")
        for i, completion in enumerate(completions):
            value = _rated(completion, number)
            if i != chosen and value is not None:
                alternative = text + _line(completion["text"])
                alternatives.append(
                    RolloutPath(
                        text=alternative, correct=False, steps=(RolloutStep(end=len(alternative), value=value),)
                    )
                )
        taken = step.get("human_completion") if chosen is None else completions[chosen]
        if taken is None:  # the labeler gave up here
            break
        text += _line(taken["text"])
        value = _rated(taken, number)
        if value is not None:
            steps.append(RolloutStep(end=len(text), value=value))
    if steps:
        yield RolloutPath(text=text, correct=label.get("finish_reason") == "solution", steps=tuple(steps))
    yield from alternatives


def _line(step: str) -> str:
    """The step with the end of its line. Only the last step of a path has none: it has the answer."""
    return step if ANSWER_MARK in step else step + LINE


def _rated(completion: Mapping[str, Any], number: int) -> float | None:
    """The label of a completion; None if it was not rated, or if it is empty."""
    rating = completion.get("rating")
    if rating is None or not str(completion.get("text") or "").strip():
        return None
    if rating not in RATINGS:
        raise InputError(f"step {number} has rating={rating!r}, which is not -1, 0, or 1")
    return RATINGS[rating]


def _process_bench(row: Mapping[str, Any]) -> RolloutPath:
    """The solution, with its steps up to the first wrong one. Those after it have no label."""
    steps = _texts(row, "steps")
    first_wrong = row["label"]
    if isinstance(first_wrong, bool) or not isinstance(first_wrong, int) or not -1 <= first_wrong < len(steps):
        raise InputError(
            f"label={first_wrong!r} is not the index of one of the {len(steps)} steps; use -1 if none is wrong"
        )
    text, ends = _joined(steps, PARAGRAPH)
    labeled = ends if first_wrong == -1 else ends[: first_wrong + 1]
    right = row.get("final_answer_correct")
    return RolloutPath(
        text=text,
        correct=right if isinstance(right, bool) else first_wrong == -1,
        steps=tuple(RolloutStep(end=end, value=float(i != first_wrong)) for i, end in enumerate(labeled)),
    )


def _supervised(row: Mapping[str, Any]) -> RolloutPath:
    steps = _texts(row, "completions")
    labels = _list("labels", row["labels"])
    if len(labels) != len(steps):
        raise InputError(f"it has {len(steps)} completions and {len(labels)} labels; give each completion one")
    for label in labels:
        if not isinstance(label, bool | int | float) or not 0 <= label <= 1:
            raise InputError(f"the label {label!r} is neither true, false, nor a number in [0, 1]")
    text, ends = _joined(steps, LINE)
    return RolloutPath(
        text=text,
        correct=all(label >= 0.5 for label in labels),
        steps=tuple(RolloutStep(end=end, value=float(label)) for end, label in zip(ends, labels, strict=True)),
    )


def _joined(steps: Sequence[str], separator: str) -> tuple[str, list[int]]:
    """One text, and where its steps end. A separator is the end of a step, and is not added to white space."""
    pieces = [step if step[-1:].isspace() else step + separator for step in steps[:-1]] + [steps[-1]]
    return "".join(pieces), list(accumulate(map(len, pieces)))


def _texts(row: Mapping[str, Any], name: str) -> list[str]:
    values = _list(name, row[name])
    for i, value in enumerate(values):
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{name}[{i}]={str(value)[:60]!r} is empty or not a text; remove it, with its label")
    return values


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise InputError(f"{name}={str(value)[:60]!r} is not a list with anything in it")
    return value
