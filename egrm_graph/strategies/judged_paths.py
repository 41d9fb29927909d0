"""What the strategies for candidates share: their prompts, which tasks they suit, and what their judgments lost."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable

from egrm_graph.errors import SettingsError
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.settings import RunSettings
from egrm_graph.strategies.strategy import JudgesCandidates, PathInView, PathStrategy
from egrm_graph.tasks.judging import Judging
from egrm_graph.tasks.task import Task


def own_prompt(name: str) -> Traversable:
    """The strategies' own template of this name. A task's prompt set may have another one."""
    return resources.files("egrm_graph.prompts") / "principles" / f"{name}.md"


def check_judges(strategy: PathStrategy, task: Task, settings: RunSettings) -> None:
    """Checks that a strategy for candidates has a task that suits it.

    Raises:
        SettingsError: the task answers questions, or its format has no principles with sub-verdicts; or a label is to
            choose the structure of judgments that solve the task themselves.
    """
    if not (isinstance(strategy, JudgesCandidates) and strategy.judges):
        return
    if not isinstance(task, Judging):
        raise SettingsError(
            f"the strategy {strategy.name!r} judges candidates, and the task {task.name!r} answers questions; set task "
            "(--task) to pairwise, best_of_n, tool_calls, or pointwise, or strategy (--strategy) to 'plain'"
        )
    if not task.format.has_units:
        raise SettingsError(
            f"the strategy {strategy.name!r} asks for principles with sub-verdicts, which this judge does not write; "
            "set model (--model) to one that follows instructions, or strategy (--strategy) to 'plain'"
        )
    if strategy.name == "mixed" and settings.mixed_by == "label" and task.format.solves_itself:
        raise SettingsError(
            "mixed_by='label' asks the model in English, which this judge does not read; set mixed_by to 'model' or "
            "'task'"
        )


def lost_units(paths: Sequence[PathInView]) -> list[Reason]:
    """The reason to report if parts of the judgments could not be read."""
    lost = [each for path, _ in paths if (judgment := path.get("judgment")) is not None for each in judgment["lost"]]
    if not lost:
        return []
    total = sum(path.get("judgment") is not None for path, _ in paths)
    return [ReasonCode.UNITS_LOST.reason(lost=len(lost), total=total, example=lost[0])]
