"""`egrm calibrate`: choose a gate with a guarantee, from labeled questions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from egrm_graph.errors import SettingsError
from egrm_graph.runtime.extras import require_extra
from egrm_graph.settings import TaskName
from egrm_graph.terminal.terminal_text import inert

if TYPE_CHECKING:
    from egrm_graph.calibration.gate_calibration import GateCalibration
    from egrm_graph.deciding.selection_rules import SelectionRule
    from egrm_graph.replay.answer_log import LoggedQuestion
    from egrm_graph.replay.answer_table import AnswerTable
    from egrm_graph.replay.gate_fitting import Certified, Promise
    from egrm_graph.uncertainty.measures import Measure

PATH_CONFIDENCES = (0.9, 0.95, 0.99)
"""Tried by default, next to all paths. Each further one leaves less of the confidence to each."""

LabeledArgument = Annotated[Path, typer.Argument(metavar="LABELED", help="A log, or a file from `egrm verify`.")]
QuestionsOption = Annotated[
    Path | None, typer.Option(help="The questions of a file from `egrm verify`, with references.")
]
MeasuresOption = Annotated[
    list[str] | None, typer.Option("--measure", help="Measure to try. Repeatable. [default: all]")
]
SamplesOption = Annotated[
    list[int] | None,
    typer.Option("--samples", min=1, help="Number of fast answers to try. Repeatable. [default: 3 5 8 16]"),
]
PathConfidencesOption = Annotated[
    list[float] | None,
    typer.Option(
        "--path-confidence",
        min=0,
        max=1,
        help="Confidence to try, at which paths stop. Repeatable. [default: 0.9 0.95 0.99 if paths have scores]",
    ),
]


def calibrate(
    labeled: LabeledArgument,
    *,
    model: Annotated[str, typer.Option(help="The model that was asked, as in the setting `model`.")],
    task: Annotated[TaskName, typer.Option(help="The task that it was asked.")],
    output: Annotated[Path, typer.Option(help="File for the calibration.")] = Path("calibration.json"),
    target_risk: Annotated[float, typer.Option(min=0, max=1, help="Keep the loss below this.")] = 0.02,
    confidence: Annotated[float, typer.Option(min=0, max=1, help="Confidence of the guarantee.")] = 0.95,
    loss: Annotated[
        Literal["excess", "error"],
        typer.Option(help="excess: wrong where always reasoning is right. error: wrong."),
    ] = "excess",
    abstain_risk: Annotated[
        float | None, typer.Option(min=0, max=1, help="Withhold answers to keep the share of wrong ones below this.")
    ] = None,
    measure: MeasuresOption = None,
    samples: SamplesOption = None,
    path_confidence: PathConfidencesOption = None,
    all_paths: Annotated[
        bool, typer.Option("--all-paths", help="Calibrate the gate alone, for runs that draw all paths.")
    ] = False,
    selection: Annotated[
        str, typer.Option(help="How scored paths decide in a run that stops: its setting `selection`.")
    ] = "weighted_vote",
    questions: QuestionsOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --output.")] = False,
) -> None:
    """Choose the measure, number of samples, and threshold of the gate, and the confidence at which drawing paths
    stops, with one guarantee for all of it, from labeled questions.

    LABELED has a line {"id", "fast": [sample], "paths": [sample]} for each question, where a sample is {"answer",
    "correct", "n_tokens"}, plain or gzipped; a path may have the "score" that a calibrated scorer gave it. It may also
    be the output of `egrm verify` with a gate that never opens (--measure consensus --threshold 2 --stopping all
    --path-stopping all). Then --questions has the references. No model is called. Use the result with --calibration.

    Exit status: 0 with a calibration, 1 if no gate can be guaranteed and none is written, 2 if LABELED or the options
    cannot be used.
    """
    require_extra("stats", "`egrm calibrate`")
    from egrm_graph.replay.answer_table import table_of
    from egrm_graph.replay.gate_fitting import Promise, Refused
    from egrm_graph.replay.gate_fitting import calibrate as find
    from egrm_graph.replay.saved_runs import read_labelled

    for name, value in (("target-risk", target_risk), ("confidence", confidence), ("abstain-risk", abstain_risk)):
        if value in (0, 1):
            raise SettingsError(
                f"no number of questions can guarantee --{name} {value:g}; choose a value between 0 and 1, such as "
                f"{0.95 if name == 'confidence' else 0.02}"
            )
    if abstain_risk is not None and task not in ("answer", "arithmetic"):
        raise SettingsError(
            f"--abstain-risk withholds answers to questions, but the task {task} judges candidates; leave it out"
        )
    if output.exists() and not overwrite:
        raise SettingsError(f"{output} exists; name another --output, or add --overwrite")
    log = read_labelled(labeled, questions, task)
    confidences = [] if all_paths else path_confidences(path_confidence, log, task)
    table = table_of(log, confidences, selection_named(selection))
    promise = Promise(target_risk, confidence, loss, abstain_risk)
    found = find(table, measures_named(measure), samples_named(samples, table), promise)
    out = Console(highlight=False)
    if isinstance(found, Refused):
        out.print(Text(inert(f"No guarantee: {found.reason}.")), soft_wrap=True)
        raise typer.Exit(1)
    made = _made(found, promise, table, model=model, task=task, selection=selection, data=labeled)
    output.write_text(made.model_dump_json(indent=1) + "\n", "utf-8")
    out.print(Text(inert("\n".join(_summary(made, found)))), soft_wrap=True)


def measures_named(names: list[str] | None) -> list[Measure]:
    """The measures of these names or, without names, all that need only answers.

    Raises:
        SettingsError: a name is unknown, or its measure needs more than answers.
    """
    from egrm_graph.replay.answer_table import replayable
    from egrm_graph.uncertainty.measures import MEASURES

    known = {measure.name: measure for measure in replayable(list(MEASURES.values()))}
    for name in names or ():
        if name not in known:
            problem = "it needs more than the answers in a log" if name in MEASURES else "unknown measure"
            raise SettingsError(f"--measure {name}: {problem}; choose from {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names or known)]


def samples_named(samples: list[int] | None, table: AnswerTable) -> list[int]:
    """The chosen numbers of samples or, without a choice, the usual ones that the log has."""
    from egrm_graph.replay.answer_table import sizes_of

    return list(dict.fromkeys(samples)) if samples else sizes_of(table.n_fast)


def path_confidences(chosen: list[float] | None, log: Sequence[LoggedQuestion], task: TaskName) -> list[float]:
    """The confidences to try, at which drawing paths stops: the chosen ones or, if paths have scores, the usual ones.

    Raises:
        SettingsError: one of them is not between 0 and 1, or the task is not one for which stopping is calibrated.
    """
    from egrm_graph.replay.stopped_reasoning import can_stop

    answers = task in ("answer", "arithmetic")
    if chosen and not answers:
        raise SettingsError(
            f"--path-confidence: the task {task} draws paths in several orders, which a log does not have; leave it out"
        )
    for confidence in chosen or ():
        if not 0 < confidence < 1:
            raise SettingsError(
                f"--path-confidence {confidence:g} is never reached; choose one between 0 and 1, as 0.95"
            )
    usual = PATH_CONFIDENCES if answers and can_stop(log) else ()
    return list(dict.fromkeys(chosen or usual))


def selection_named(name: str) -> SelectionRule:
    """The built-in selection rule of this name.

    Raises:
        SettingsError: there is none.
    """
    from egrm_graph.deciding.selection_rules import SELECTION_RULES

    if name not in SELECTION_RULES:
        raise SettingsError(f"--selection {name}: unknown selection rule; choose from {', '.join(SELECTION_RULES)}")
    return SELECTION_RULES[name]


def _made(
    found: Certified, promise: Promise, table: AnswerTable, *, model: str, task: TaskName, selection: str, data: Path
) -> GateCalibration:
    from egrm_graph.calibration.gate_calibration import GateCalibration

    stops = found.path_confidence is not None
    return GateCalibration(
        model=model,
        task=task,
        measure=found.measure.name,
        samples=found.samples,
        threshold=found.threshold,
        higher_is_certain=found.measure.higher_is_certain,
        path_stopping="posterior" if stops else "all",
        path_confidence=found.path_confidence,
        paths=int(table.reasoning.drawn[0]) if stops else None,
        selection=selection if stops else None,
        loss=promise.loss,
        target_risk=promise.target_risk,
        confidence=promise.confidence,
        gates=found.gates,
        questions=found.questions,
        losses=found.losses,
        risk_bound=found.risk_bound,
        labelled=table.n,
        direct=found.direct,
        direct_between=found.direct_between,
        abstention=found.abstention,
        scored=table.scored,
        fast_right=found.fast_right,
        reasoned_right=found.reasoned_right,
        data=data.name,
        data_sha256=hashlib.sha256(data.read_bytes()).hexdigest(),
        versions={name: version(name) for name in ("egrm-graph", "numpy", "scipy")},
    )


def _summary(made: GateCalibration, found: Certified) -> list[str]:
    stops = made.path_stopping == "posterior"
    kind = "a wrong answer"
    if made.loss == "excess":
        kind = f"{kind} where all paths give the right one" if stops else "a wrong fast answer where reasoning is right"
    opens = f"{'>=' if made.higher_is_certain else '<='} {made.threshold:g}"
    share, right = made.direct / made.labelled, found.accuracy
    lines = [
        f"Gate: {made.measure} of {made.samples} samples {opens}. {share:.1%} of these questions skip reasoning.",
        f"With confidence {made.confidence:g}, at most {made.target_risk:.2%} of all questions like these get {kind}: "
        f"{made.losses} of {made.questions:,} did, so the risk is at most {made.risk_bound:.2%} (gates "
        f"tried: {made.gates}).",
        f"Right on these questions: gate {right.gated:.1%}, always reasoning {right.always:.1%}, never "
        f"{right.never:.1%}. Right among the direct answers: {right.direct:.1%}.",
    ]
    if made.path_confidence is not None:
        lines.insert(
            1,
            f"Paths: until an answer is right with probability {made.path_confidence:g}, {found.paths_drawn:.2f} of "
            f"{made.paths} on average.",
        )
    if right.never >= right.always:
        lines.append("Reasoning is not better than the fast answers here: never reasoning would lose nothing.")
    if made.abstention is not None:
        rule = made.abstention
        lines.append(
            f"Reasoned answers with a confidence below {rule.below:.4g} are withheld. With confidence "
            f"{made.confidence:g}, at most {rule.target_risk:.1%} of the answers are wrong: {rule.wrong} of "
            f"{rule.answered} were, on {rule.questions} questions."
        )
    return lines
