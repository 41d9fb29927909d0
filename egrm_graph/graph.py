"""The graph: every node and every edge."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Checkpointer, RetryPolicy

from egrm_graph.clients.client import Client
from egrm_graph.context import Binder
from egrm_graph.deciding.selection_rules import SelectionRule
from egrm_graph.extensions import Extensions
from egrm_graph.nodes.answer_fast import answer_fast
from egrm_graph.nodes.check_uncertainty import certainty, check_uncertainty
from egrm_graph.nodes.expand_cot import expand_cot
from egrm_graph.nodes.score_paths import score_paths, sufficiency
from egrm_graph.nodes.select_answer import select_answer
from egrm_graph.parts import assemble
from egrm_graph.records.privacy import Redactor
from egrm_graph.scoring.function_scorer import ScoreFunction
from egrm_graph.scoring.scorer import Scorer
from egrm_graph.settings import RunSettings, Settings
from egrm_graph.state import Input, Output, State
from egrm_graph.strategies.strategy import PathStrategy
from egrm_graph.tasks.task import Task
from egrm_graph.telemetry.langsmith import run_config
from egrm_graph.tracing.store import Store
from egrm_graph.uncertainty.evidence import Evidence
from egrm_graph.uncertainty.measures import Measure
from egrm_graph.uncertainty.stopping import StoppingRule

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

# The client retries requests where it sends them. A node that ran twice would draw and pay twice.
ONCE = RetryPolicy(max_attempts=1)


def build_graph(
    settings: Settings | None = None,
    *,
    client: Client | BaseChatModel | None = None,
    scorer: Scorer | ScoreFunction | Literal["settings"] | None = "settings",
    tree_scorer: Scorer | ScoreFunction | Literal["settings"] | None = "settings",
    tasks: Sequence[Task] = (),
    strategies: Sequence[PathStrategy] = (),
    measures: Sequence[Measure | Callable[[Evidence], float]] = (),
    stopping_rules: Sequence[StoppingRule] = (),
    selection_rules: Sequence[SelectionRule] = (),
    checkpointer: Checkpointer = None,
    store: Store | None = None,
    redact: Redactor | None = None,
) -> CompiledStateGraph[State, RunSettings, Input, Output]:
    """Builds the graph `egrm`: a question in, a `verification` out. A question that comes in with `messages` is also
    answered by one more message.

    The settings name the parts to use: built-in ones, or your own `tasks`, path `strategies`, `measures`,
    `stopping_rules`, and `selection_rules`. A `client`, scorer, or `store` that you pass in stays yours to close.
    Otherwise the ones that the settings name are loaded, and closed when the graph is garbage collected. With
    `scorer=None` paths vote. Records of runs (`trace_level`) go to the store, with every text passed through `redact`.

    Raises:
        SetupError: the settings do not fit together, a part lacks something, or a model cannot be loaded.
    """
    settings = settings or Settings()
    extensions = Extensions.of(tasks, strategies, measures, stopping_rules, selection_rules)
    bind = Binder(assemble(settings, client, scorer, extensions, tree_scorer=tree_scorer, store=store, redact=redact))
    builder = StateGraph(State, context_schema=RunSettings, input_schema=Input, output_schema=Output)

    for node in (answer_fast, check_uncertainty, expand_cot, score_paths, select_answer):
        builder.add_node(node.__name__, bind.node(node), input_schema=State, retry_policy=ONCE)

    builder.add_edge(START, "answer_fast")
    builder.add_edge("answer_fast", "check_uncertainty")
    routes: dict[Hashable, str] = {"certain": "select_answer", "uncertain": "expand_cot"}
    builder.add_conditional_edges("check_uncertainty", bind.edge(certainty), routes)
    builder.add_edge("expand_cot", "score_paths")
    evidence: dict[Hashable, str] = {"enough": "select_answer", "more": "expand_cot"}
    builder.add_conditional_edges("score_paths", bind.edge(sufficiency), evidence)
    builder.add_edge("select_answer", END)

    graph = builder.compile(name="egrm", checkpointer=checkpointer).with_config(run_config(settings))
    weakref.finalize(graph, bind.close)
    return graph
