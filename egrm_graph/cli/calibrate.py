"""`egrm calibrate`: a gate with a promise, from labelled questions."""

from __future__ import annotations

import hashlib
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
    from egrm_graph.replay.answer_table import Table
    from egrm_graph.replay.gate_fitting import Certified, Promise
    from egrm_graph.uncertainty.measures import Measure

Labelled = Annotated[Path, typer.Argument(metavar="LABELLED", help="A log, or a file of `egrm verify`.")]
Questions = Annotated[
    Path | None, typer.Option(help="With a file of `egrm verify`: its questions, with their references.")
]
Measures = Annotated[
    list[str] | None, typer.Option("--measure", help="A measure to try; may be given several times. [default: all]")
]
Samples = Annotated[
    list[int] | None,
    typer.Option("--samples", min=1, help="How many fast answers; may be given several times. [default: 3 5 8 16]"),
]


def calibrate(
    labelled: Labelled,
    *,
    model: Annotated[str, typer.Option(help="The model that was asked, as the setting `model` names it.")],
    task: Annotated[TaskName, typer.Option(help="The task that it was asked.")],
    output: Annotated[Path, typer.Option(help="Where the calibration goes.")] = Path("calibration.json"),
    target_risk: Annotated[float, typer.Option(min=0, max=1, help="The loss that is to be kept under.")] = 0.02,
    confidence: Annotated[float, typer.Option(min=0, max=1, help="With what confidence.")] = 0.95,
    loss: Annotated[
        Literal["excess", "error"],
        typer.Option(help="`excess`: wrong where always reasoning is right. `error`: wrong."),
    ] = "excess",
    abstain_risk: Annotated[
        float | None, typer.Option(min=0, max=1, help="Withhold answers, so that of those given no more are wrong.")
    ] = None,
    measure: Measures = None,
    samples: Samples = None,
    questions: Questions = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the calibration in --output.")] = False,
) -> None:
    """Choose measure, number of samples and threshold of the gate, with a promise, from labelled questions.

    LABELLED has a line {"id", "fast": [sample], "paths": [sample]} for each question, where a sample is {"answer",
    "correct", "n_tokens"}; plain or gzipped. Or it is what `egrm verify` wrote with a gate that never opens (--measure
    consensus --threshold 2 --stopping all), and --questions has the references. No model is called. Use the result by
    --calibration.

    Exit status: 0 with a calibration, 1 where nothing can be promised, and then none is written, 2 where LABELLED or
    the options cannot be used.
    """
    require_extra("stats", "`egrm calibrate`")
    from egrm_graph.replay.answer_table import table_of
    from egrm_graph.replay.gate_fitting import Promise, Refused
    from egrm_graph.replay.gate_fitting import calibrate as find
    from egrm_graph.replay.saved_runs import read_labelled

    for name, value in (("target-risk", target_risk), ("confidence", confidence), ("abstain-risk", abstain_risk)):
        if value in (0, 1):
            raise SettingsError(f"--{name} {value:g} cannot be promised by any number of questions; take 0.02, or 0.95")
    if abstain_risk is not None and task not in ("answer", "arithmetic"):
        raise SettingsError(f"--abstain-risk withholds answers to questions, and the task {task} judges candidates")
    if output.exists() and not overwrite:
        raise SettingsError(f"{output} is there already; name another --output, or add --overwrite")
    table = table_of(read_labelled(labelled, questions, task))
    promise = Promise(target_risk, confidence, loss, abstain_risk)
    found = find(table, measures_named(measure), samples_named(samples, table), promise)
    out = Console(highlight=False)
    if isinstance(found, Refused):
        out.print(Text(inert(f"Nothing is promised: {found.reason}.")), soft_wrap=True)
        raise typer.Exit(1)
    made = _made(found, promise, table, model=model, task=task, data=labelled)
    output.write_text(made.model_dump_json(indent=1) + "\n", "utf-8")
    out.print(Text(inert("\n".join(_told(made, found)))), soft_wrap=True)


def measures_named(names: list[str] | None) -> list[Measure]:
    """The measures of these names; without, all that need answers alone.

    Raises:
        SettingsError: there is none of that name, or it needs more than answers.
    """
    from egrm_graph.replay.answer_table import replayable
    from egrm_graph.uncertainty.measures import MEASURES

    known = {measure.name: measure for measure in replayable(list(MEASURES.values()))}
    for name in names or ():
        if name not in known:
            why = "needs more than the answers that a log has" if name in MEASURES else "is no measure"
            raise SettingsError(f"--measure {name} {why}; known are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names or known)]


def samples_named(samples: list[int] | None, table: Table) -> list[int]:
    """Those that were named; without, the usual ones that the log has."""
    from egrm_graph.replay.answer_table import sizes_of

    return list(dict.fromkeys(samples)) if samples else sizes_of(table.n_fast)


def _made(
    found: Certified, promise: Promise, table: Table, *, model: str, task: TaskName, data: Path
) -> GateCalibration:
    from egrm_graph.calibration.gate_calibration import GateCalibration

    return GateCalibration(
        model=model,
        task=task,
        measure=found.measure.name,
        samples=found.samples,
        threshold=found.threshold,
        higher_is_certain=found.measure.higher_is_certain,
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


def _told(made: GateCalibration, found: Certified) -> list[str]:
    kind = "a wrong fast answer where reasoning is right" if made.loss == "excess" else "a wrong answer"
    opens = f"{'>=' if made.higher_is_certain else '<='} {made.threshold:g}"
    share, right = made.direct / made.labelled, found.accuracy
    told = [
        f"Gate: {made.measure} of {made.samples} samples {opens}. Of these questions {share:.1%} skip reasoning.",
        f"With confidence {made.confidence:g} at most {made.target_risk:.2%} of all questions like these get {kind}: "
        f"{made.losses} of {made.questions:,} did, which leaves a risk of {made.risk_bound:.2%} at most (1 of "
        f"{made.gates} gates that were tried).",
        f"Right on these questions: gate {right.gated:.1%}, always reasoning {right.always:.1%}, never "
        f"{right.never:.1%}; of the direct answers alone {right.direct:.1%}.",
    ]
    if right.never >= right.always:
        told.append("Reasoning is no better here than the fast answers are: never reasoning would lose nothing.")
    if made.abstention is not None:
        it = made.abstention
        told.append(
            f"Reasoned answers with a confidence below {it.below:.4g} are withheld. With confidence "
            f"{made.confidence:g} at most {it.target_risk:.1%} of the answers given are wrong: {it.wrong} of "
            f"{it.answered} were, of {it.questions} questions."
        )
    return told
