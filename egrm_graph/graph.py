"""The graph: every node and every edge."""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Checkpointer, RetryPolicy

from egrm_graph.clients.client import Client
from egrm_graph.context import Binder
from egrm_graph.nodes.answer_fast import answer_fast
from egrm_graph.nodes.check_uncertainty import certainty, check_uncertainty
from egrm_graph.nodes.expand_cot import expand_cot
from egrm_graph.nodes.score_paths import score_paths
from egrm_graph.nodes.select_answer import select_answer
from egrm_graph.parts import assemble
from egrm_graph.records.privacy import Rewrite
from egrm_graph.scoring.function_scorer import ScoreFunction
from egrm_graph.scoring.scorer import Scorer
from egrm_graph.settings import RunSettings, Settings
from egrm_graph.state import Input, Output, State
from egrm_graph.telemetry.langsmith import run_config
from egrm_graph.tracing.store import Store
from egrm_graph.uncertainty.measures import Measure

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

# Requests are retried where they are sent, in the client. A node that ran twice would draw and pay twice.
ONCE = RetryPolicy(max_attempts=1)


def build_graph(
    settings: Settings | None = None,
    *,
    client: Client | BaseChatModel | None = None,
    scorer: Scorer | ScoreFunction | Literal["settings"] | None = "settings",
    measures: Sequence[Measure] = (),
    checkpointer: Checkpointer = None,
    store: Store | None = None,
    redact: Rewrite | None = None,
) -> CompiledStateGraph[State, RunSettings, Input, Output]:
    """The compiled graph `egrm`: a question in, a `verification` out. A question that comes in with `messages` is also
    answered by one more message.

    Without a `client`, `scorer` or `store`, those that the settings name are loaded, and closed when the graph is no
    longer used; handed in, they stay the caller's to close. With `scorer=None` there is none, and paths vote. Records
    of runs (`trace_level`) go to the store, with every text as `redact` lets it through.

    Raises:
        SetupError: the settings do not fit together, a client or scorer lacks something, or a model cannot be loaded.
    """
    settings = settings or Settings()
    bind = Binder(assemble(settings, client, scorer, measures, store=store, redact=redact))
    builder = StateGraph(State, context_schema=RunSettings, input_schema=Input, output_schema=Output)

    for node in (answer_fast, check_uncertainty, expand_cot, score_paths, select_answer):
        builder.add_node(node.__name__, bind.node(node), input_schema=State, retry_policy=ONCE)

    builder.add_edge(START, "answer_fast")
    builder.add_edge("answer_fast", "check_uncertainty")
    ways: dict[Hashable, str] = {"certain": "select_answer", "uncertain": "expand_cot"}
    builder.add_conditional_edges("check_uncertainty", bind.way(certainty), ways)
    builder.add_edge("expand_cot", "score_paths")
    builder.add_edge("score_paths", "select_answer")
    builder.add_edge("select_answer", END)

    graph = builder.compile(name="egrm", checkpointer=checkpointer).with_config(run_config(settings))
    weakref.finalize(graph, bind.close)
    return graph
