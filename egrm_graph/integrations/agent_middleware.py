"""Best of N inside a LangChain agent: every model step is drawn N times, and the graph judges which is handed on.

    agent = create_agent(model, tools, middleware=[BestOfN(4, settings=Settings(engine="vllm", model="..."))])

Only the winner's tool calls are run. Where all candidates are equal, by the names and arguments of their tool calls or
by their text, nothing is judged.

In `stream_mode="messages"` the candidates and the judge are silent: which tokens are the answer's is known only when
all are there, so the winner comes as one message. Callbacks and traces see every call of the agent's model.

Put it last in the list of middleware. What stands after it runs once for each candidate, all at once, and of its
commands LangChain applies those of losing candidates, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal, NotRequired, TypeAlias, get_args

from langchain_core.messages import AIMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from egrm_graph.clients.wrappers import independent, with_seed
from egrm_graph.drawing.calls import Limits
from egrm_graph.errors import Abstained, InputError, MissingExtra, SettingsError
from egrm_graph.graph import build_graph
from egrm_graph.messages.candidates import MOST
from egrm_graph.settings import RunSettings, Settings
from egrm_graph.verification import Verification

try:
    from langchain.agents.middleware import AgentMiddleware, AgentState, ExtendedModelResponse, ModelRequest
    from langchain.agents.middleware.types import ModelResponse, PrivateStateAttr
    from langchain.agents.structured_output import AutoStrategy, ToolStrategy

    from egrm_graph.integrations.choosing import (
        Undecided,
        chosen_by_human,
        kept,
        reasons,
        record,
        recorded,
        settled,
        structured,
        winner,
    )
    from egrm_graph.integrations.steps import Drawn, Response, adraw_steps, draw_steps, silent_context
except ModuleNotFoundError as error:
    raise MissingExtra(
        "BestOfN needs langchain, which is not installed. Install it: pip install 'egrm-graph[agents]'", "agents"
    ) from error

OnAbstain = Literal["first", "raise", "ask"]
Given: TypeAlias = ModelResponse[Any] | AIMessage | ExtendedModelResponse[Any]


class BestOfNState(AgentState[Any]):
    """The agent's state, and the candidates that wait for a human."""

    egrm_undecided: NotRequired[Annotated[Undecided | None, PrivateStateAttr]]


class BestOfN(AgentMiddleware[BestOfNState, Any, Any]):
    """Draws `n` candidates for each step of the agent's model and hands on the one that the judge takes for the best.

    The judge is built from `settings`, with the task `tool_calls`, or is a `graph` of that task.

    `deadline_s` and `max_completion_tokens` hold for a step as a whole, drawing and judging, and take the place of the
    judge's own. When one is reached, what still runs is cancelled; a sync model call, which cannot be, is let go of.
    Tokens of candidates count when they are there, and only where the model tells its usage.

    The agent's model needs a temperature above 0, or all candidates are alike. They are drawn with LangChain's response
    cache off, and a fixed `seed` is another one for each. Where structured output is wanted, those that do not give
    it are left out, if others do.

    Where there is no verdict (the judge abstained, it is a tie, a limit was reached before, or the conversation has a
    picture, which the judge cannot be shown), `on_abstain` decides: `first` hands on the first candidate; `raise`
    raises `Abstained`; `ask` interrupts the agent, which then needs a checkpointer, with the candidates and the
    reasons, until it is resumed with the index of one: `Command(resume=1)`. The interrupt has a node of its own after
    the model's, so nothing is drawn or judged again.

    How each step was chosen stands in its message, as `response_metadata["egrm"]`; see `Record`.

    Raises:
        SetupError: the settings do not fit together, or the judge's model cannot be loaded.
    """

    state_schema = BestOfNState

    def __init__(
        self,
        n: int = 4,
        *,
        settings: Settings | None = None,
        graph: CompiledStateGraph[Any, Any, Any, Any] | None = None,
        deadline_s: float | None = None,
        max_completion_tokens: int | None = None,
        on_abstain: OnAbstain = "first",
    ) -> None:
        super().__init__()
        if not 2 <= n <= MOST:
            raise SettingsError(f"n={n}: 2 to {MOST} candidates can be judged")
        if on_abstain not in get_args(OnAbstain):
            raise SettingsError(f"on_abstain={on_abstain!r}; known are {', '.join(get_args(OnAbstain))}")
        self._n = n
        self._on_abstain = on_abstain
        self._limits = RunSettings().overridden(
            {"deadline_s": deadline_s, "max_completion_tokens": max_completion_tokens}
        )
        self._graph = _judge(settings, graph)

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> Given:
        each = iter(_independent(request, self._n))
        drawn = _fit(request, draw_steps(lambda: handler(next(each)), self._n, self._started()))
        if (given := self._unjudged(drawn)) is not None:
            return given
        judge = partial(self._graph.invoke, _asked(request, drawn), context=_run_settings(drawn.left))
        try:
            verification = silent_context().run(judge)["verification"]
        except InputError as error:
            return self._decided(replace(drawn, unjudged=str(error)), None)
        return self._decided(drawn, verification)

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> Given:
        each = iter(_independent(request, self._n))
        drawn = _fit(request, await adraw_steps(lambda: handler(next(each)), self._n, self._started()))
        if (given := self._unjudged(drawn)) is not None:
            return given
        judging = self._graph.ainvoke(_asked(request, drawn), context=_run_settings(drawn.left))
        try:
            verification = (await asyncio.create_task(judging, context=silent_context()))["verification"]
        except InputError as error:
            return self._decided(replace(drawn, unjudged=str(error)), None)
        return self._decided(drawn, verification)

    def after_model(self, state: BestOfNState, runtime: Runtime[Any]) -> dict[str, Any] | None:  # noqa: ARG002
        undecided = state.get("egrm_undecided")
        if undecided is None:
            return None
        response = chosen_by_human(undecided)
        update = {"messages": response.result, "egrm_undecided": None}
        structured = response.structured_response
        return update if structured is None else {**update, "structured_response": structured}

    async def aafter_model(self, state: BestOfNState, runtime: Runtime[Any]) -> dict[str, Any] | None:
        return self.after_model(state, runtime)

    def _started(self) -> Limits:
        deadline_s = self._limits.deadline_s
        return Limits(
            deadline_at=None if deadline_s is None else time.time() + deadline_s,
            tokens_left=self._limits.max_completion_tokens,
        )

    def _unjudged(self, drawn: Drawn) -> Given | None:
        if (response := settled(drawn)) is not None:
            return self._given(response)
        return None if drawn.unjudged is None else self._decided(drawn, None)

    def _decided(self, drawn: Drawn, verification: Verification | None) -> Given:
        won = winner(drawn, verification)
        if won is not None:
            return self._given(recorded(won.response, record(drawn, "verdict", verification)))
        if self._on_abstain == "first":
            return self._given(recorded(drawn.steps[0].response, record(drawn, "first", verification)))
        told = record(drawn, "human", verification)
        if self._on_abstain == "raise":
            raise Abstained(f"none of {len(drawn.steps)} candidates was chosen: {reasons(told)}")
        # The message comes from the node that asks; until then the step has none.
        return ExtendedModelResponse(ModelResponse([]), Command(update={"egrm_undecided": kept(drawn, told)}))

    def _given(self, response: Response) -> Given:
        if self._on_abstain != "ask":
            return response
        # A thread that was left while it waited for a human may hold an earlier step's candidates.
        return ExtendedModelResponse(response, Command(update={"egrm_undecided": None}))


def _judge(
    settings: Settings | None, graph: CompiledStateGraph[Any, Any, Any, Any] | None
) -> CompiledStateGraph[Any, Any, Any, Any]:
    if (settings is None) == (graph is None):
        raise SettingsError("give BestOfN either the judge's settings or a graph that was built with them")
    if graph is not None:
        return graph
    assert settings is not None
    if settings.task not in ("auto", "tool_calls"):
        raise SettingsError(f"task={settings.task!r} judges no steps of an agent; leave it out, or set 'tool_calls'")
    # A judge's run is a part of one step, so the agent's checkpointer has no use for what is in between.
    return build_graph(settings.model_copy(update={"task": "tool_calls"}), checkpointer=False)


def _independent(request: ModelRequest[Any], n: int) -> list[ModelRequest[Any]]:
    """The request of each candidate: none is answered from LangChain's response cache, and a fixed seed is not shared.

    Raises:
        SettingsError: there is a global cache, and it cannot be turned off for the model.
    """
    # Chat models again, or wrappers of one that LangChain takes for it.
    models: list[Any] = [independent(request.model, i) for i in range(n)]
    settings = [with_seed(request.model_settings, i) for i in range(n)]
    pairs = zip(models, settings, strict=True)
    return [request.override(model=model, model_settings=given) for model, given in pairs]


def _fit(request: ModelRequest[Any], drawn: Drawn) -> Drawn:
    return drawn if request.response_format is None else structured(drawn)


def _run_settings(left: Limits) -> RunSettings | None:
    given: dict[str, Any] = {}
    if left.seconds_left is not None:
        given["deadline_s"] = max(left.seconds_left, 1e-3)
    if left.tokens_left is not None:
        given["max_completion_tokens"] = left.tokens_left
    return RunSettings(**given) if given else None


def _asked(request: ModelRequest[Any], drawn: Drawn) -> dict[str, Any]:
    """What the judge is asked: the conversation, the tools, and the candidates without their ids, by which a stream
    would take the winner for a message that was there before."""
    system = [] if request.system_message is None else [request.system_message]
    return {
        "messages": [*system, *request.messages],
        "candidates": [step.message.model_copy(update={"id": None}) for step in drawn.steps],
        "tools": _schemas(request),
    }


def _schemas(request: ModelRequest[Any]) -> list[dict[str, Any]]:
    tools = [tool if isinstance(tool, dict) else convert_to_openai_tool(tool) for tool in request.tools]
    wanted = request.response_format
    if isinstance(wanted, AutoStrategy):
        wanted = ToolStrategy(wanted.schema)
    specs = wanted.schema_specs if isinstance(wanted, ToolStrategy) else []
    return [*tools, *({"name": each.name, "parameters": each.json_schema} for each in specs)]
