"""What users pass to `build_graph` in addition to the built-in parts, by name."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from egrm_graph.clients.client import Client
from egrm_graph.conformance import check_conforms
from egrm_graph.deciding.selection_rules import SELECTION_RULES, SelectionRule
from egrm_graph.errors import SettingsError
from egrm_graph.scoring.function_scorer import SIGNATURE, FunctionScorer, ScoreFunction
from egrm_graph.scoring.scorer import Scorer
from egrm_graph.strategies import STRATEGIES
from egrm_graph.strategies.strategy import PathStrategy
from egrm_graph.tasks import JUDGING_TASKS, QUESTION_TASKS
from egrm_graph.tasks.task import Task
from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import MEASURES, Measure
from egrm_graph.uncertainty.stopping import PATH_STOPPING_RULES, STOPPING_RULES, StoppingRule

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

_Part = TypeVar("_Part")
_STOPPING_NAMES = (*STOPPING_RULES, *PATH_STOPPING_RULES, "auto")


@dataclass(frozen=True)
class Extensions:
    """The parts that a setting can name: your own and the built-in ones."""

    tasks: Sequence[Task] = ()
    """Your own tasks; `task_named` knows the built-in ones."""
    strategies: Mapping[str, PathStrategy] = field(default_factory=lambda: dict(STRATEGIES))
    measures: Mapping[str, Measure] = field(default_factory=lambda: dict(MEASURES))
    stopping_rules: Mapping[str, StoppingRule] = field(default_factory=dict)
    """Your own rules; `stopping_rule` knows the built-in ones, which depend on the gate."""
    selection_rules: Mapping[str, SelectionRule] = field(default_factory=lambda: dict(SELECTION_RULES))

    @classmethod
    def of(
        cls,
        tasks: Sequence[Task] = (),
        strategies: Sequence[PathStrategy] = (),
        measures: Sequence[Measure | Callable[[Evidence], float]] = (),
        stopping_rules: Sequence[StoppingRule] = (),
        selection_rules: Sequence[SelectionRule] = (),
    ) -> Extensions:
        """The parts passed to `build_graph`, next to the built-in ones. A plain function goes by its own name.

        Raises:
            SettingsError: a part does not fit, or its name is taken.
        """
        for task in tasks:
            check_conforms("a task", task, Task)
        for strategy in strategies:
            check_conforms("a path strategy", strategy, PathStrategy)
        own_measures = [each if isinstance(each, Measure) else _measure(each) for each in measures]
        _named("task", ((task.name, task) for task in tasks), [*QUESTION_TASKS, *JUDGING_TASKS])
        return cls(
            tuple(tasks),
            {**STRATEGIES, **_named("path strategy", ((each.name, each) for each in strategies), STRATEGIES)},
            {**MEASURES, **_named("measure", ((each.name, each) for each in own_measures), MEASURES)},
            _functions("stopping rule", stopping_rules, ("standing",), _STOPPING_NAMES),
            {
                **SELECTION_RULES,
                **_functions("selection rule", selection_rules, ("classes", "scores"), SELECTION_RULES),
            },
        )

    def strategy(self, name: str) -> PathStrategy:
        return _known("path strategy", name, self.strategies)

    def measure(self, name: str) -> Measure:
        return _known("measure", name, self.measures)

    def selection_rule(self, name: str) -> SelectionRule:
        return _known("selection rule", name, self.selection_rules)


def as_scorer(value: Scorer | ScoreFunction) -> Scorer:
    """The scorer, or a scorer that calls the function.

    Raises:
        SettingsError: it is neither a scorer nor a function of a question and a path.
    """
    if not callable(value) or inspect.isclass(value) or hasattr(value, "score"):
        check_conforms("scorer", value, Scorer, otherwise=f"or a function `{SIGNATURE.format(name='score')}`")
        return value  # type: ignore[return-value] # it has been checked
    return FunctionScorer(value)


def as_client(value: Client | BaseChatModel) -> Client:
    """The client, or a client of the LangChain chat model.

    Raises:
        SettingsError: it is neither, or its temperature cannot be set.
    """
    langchain = sys.modules.get("langchain_core.runnables")  # without it, nobody has a chat model to pass
    if langchain is not None and isinstance(value, langchain.Runnable) and not hasattr(value, "sample"):
        from egrm_graph.clients.chat_model import ChatModelClient

        return ChatModelClient(cast("BaseChatModel", value))
    check_conforms("client", value, Client, otherwise="or a LangChain chat model")
    return value  # type: ignore[return-value] # it has been checked


def _known(kind: str, name: str, parts: Mapping[str, _Part]) -> _Part:
    if name not in parts:
        raise SettingsError(f"unknown {kind} {name!r}; known are {', '.join(parts)}")
    return parts[name]


def _named(kind: str, parts: Iterable[tuple[str, _Part]], taken: Iterable[str]) -> dict[str, _Part]:
    """The parts by name.

    Raises:
        SettingsError: a name occurs twice or is built in.
    """
    named: dict[str, _Part] = {}
    taken = set(taken)
    for name, part in parts:
        if name in taken or name in named:
            raise SettingsError(f"the name {name!r} of a {kind} is taken; choose another")
        named[name] = part
    return named


def _functions(
    kind: str, functions: Sequence[Callable[..., Any]], arguments: tuple[str, ...], taken: Iterable[str]
) -> dict[str, Any]:
    return _named(kind, ((_name_of(kind, each, arguments), each) for each in functions), taken)


def _measure(function: Callable[[Evidence], float]) -> Measure:
    """A function as a measure: higher is more certain, and the settings have to give the threshold."""
    return Measure(_name_of("measure", function, ("evidence",)), function, math.inf, higher_is_certain=True)


def _name_of(kind: str, function: Callable[..., Any], arguments: tuple[str, ...]) -> str:
    """The name of a function that takes these arguments.

    Raises:
        SettingsError: it is not callable, takes other arguments, or has no name.
    """
    expected = f"def my_{kind.replace(' ', '_')}({', '.join(arguments)}): ..."
    name = getattr(function, "__name__", "<lambda>")
    if not callable(function) or inspect.isclass(function):
        raise SettingsError(f"a {kind} is {function!r}; pass a function such as `{expected}`")
    if name == "<lambda>":
        raise SettingsError(f"a {kind} needs a name, which a lambda does not have; define a function: `{expected}`")
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        raise SettingsError(f"the {kind} {name!r} takes other arguments ({error}); expected `{expected}`") from error
    except ValueError:
        pass  # it has no signature to read
    return name
