"""What the strategies for candidates share: their prompts, which tasks they suit, and what their judgments lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from importlib.resources.abc import Traversable

from egrm_graph.clients.client import Client, MayShapeReplies, ShapesReplies
from egrm_graph.errors import SettingsError
from egrm_graph.judgments.judgment_grammar import judgment_pattern
from egrm_graph.reasons import Reason, ReasonCode
from egrm_graph.settings import RunSettings
from egrm_graph.strategies.strategy import JudgesCandidates, PathInView, PathStrategy
from egrm_graph.tasks.judging import Judging
from egrm_graph.tasks.task import Task
from egrm_graph.verification import View


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


def units_form(most: int, *, may_solve: bool = False) -> Callable[[View], str | None]:
    """The form of a judgment of at most `most` units in a view. With `may_solve`, a solution may come first."""

    def form(view: View) -> str | None:
        return judgment_pattern(view["code"], view["labels"], most, may_solve=may_solve) if view["code"] else None

    return form


def check_path_reply(task: Task, settings: RunSettings, client: Client) -> None:
    """Checks that judgments can be restricted to a form, if the settings say so.

    Raises:
        SettingsError: the task answers questions, or this judge does not sign its verdicts; or the client cannot
            restrict a reply.
    """
    if settings.path_reply == "free":
        return
    free = "set path_reply (--path-reply) to 'free'"
    if not isinstance(task, Judging) or not task.format.signs:
        raise SettingsError(
            f"path_reply is {settings.path_reply!r}, which needs a judge with signed verdicts, and the task "
            f"{task.name!r} has none here; {free}"
        )
    forms = {
        *(client.reply_forms if isinstance(client, ShapesReplies) else ()),
        *(client.optional_reply_forms if isinstance(client, MayShapeReplies) else ()),
    }
    if "structured" not in forms:
        raise SettingsError(
            f"path_reply is {settings.path_reply!r}, and {client.name} cannot restrict a reply to a form; {free}, or "
            "use a vLLM server (engine='vllm')"
        )


def lost_units(paths: Sequence[PathInView]) -> list[Reason]:
    """The reason to report if parts of the judgments could not be read."""
    lost = [each for path, _ in paths if (judgment := path.get("judgment")) is not None for each in judgment["lost"]]
    if not lost:
        return []
    total = sum(path.get("judgment") is not None for path, _ in paths)
    return [ReasonCode.UNITS_LOST.reason(lost=len(lost), total=total, example=lost[0])]
