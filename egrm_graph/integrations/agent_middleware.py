"""Best of N in a LangChain agent: draw every model step N times, and continue with the one that the judge prefers.

    agent = create_agent(model, tools, middleware=[BestOfN(4, settings=Settings(engine="vllm", model="..."))])

Only the winner's tool calls are run. If all candidates are equal, by the names and arguments of their tool calls or by
their text, the judge is not asked.

With `stream_mode="messages"`, the candidates and the judge are not streamed. The winner is known only after all
candidates are complete, so it arrives as one message. Callbacks and traces see every call of the agent's model.

Put it last in the list of middleware. Middleware after it runs once per candidate, concurrently, and LangChain also
applies the commands of losing candidates.
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
from egrm_graph.messages.candidates import MAX_CANDIDATES
from egrm_graph.settings import RunSettings, Settings
from egrm_graph.verification import Verification

try:
    from langchain.agents.middleware import AgentMiddleware, AgentState, ExtendedModelResponse, ModelRequest
    from langchain.agents.middleware.types import ModelResponse, PrivateStateAttr
    from langchain.agents.structured_output import AutoStrategy, ToolStrategy

    from egrm_graph.integrations.step_choice import (
        Undecided,
        ask_human,
        choose_without_judge,
        explain_undecided,
        prefer_structured,
        record,
        undecided,
        winner,
        with_record,
    )
    from egrm_graph.integrations.steps import DrawnSteps, Response, adraw_steps, draw_steps, silent_context
except ModuleNotFoundError as error:
    raise MissingExtra(
        "BestOfN needs langchain, which is not installed. Install it: pip install 'egrm-graph[agents]'", "agents"
    ) from error

OnAbstain = Literal["first", "raise", "ask"]
_ModelCallResult: TypeAlias = ModelResponse[Any] | AIMessage | ExtendedModelResponse[Any]


class BestOfNState(AgentState[Any]):
    """The agent's state, with the candidates that wait for a human."""

    egrm_undecided: NotRequired[Annotated[Undecided | None, PrivateStateAttr]]


class BestOfN(AgentMiddleware[BestOfNState, Any, Any]):
    """Draw `n` candidates for each step of the agent's model, and continue with the one that the judge prefers.

    The judge is built from `settings`, with the task `tool_calls`, or is a `graph` of that task.

    `deadline_s` and `max_completion_tokens` limit a complete step, drawing and judging together. They replace the
    judge's own limits. When one is reached, calls that still run are cancelled. A sync model call cannot be cancelled,
    so it is abandoned. The tokens of a candidate count when it is complete, if the model reports its usage.

    The agent's model needs a temperature above 0. Otherwise all candidates are the same. Candidates are drawn without
    LangChain's response cache, and a fixed `seed` becomes a different seed for each candidate. If the agent wants
    structured output, candidates without it are dropped, unless no candidate has it.

    Sometimes no verdict is reached: the judge abstains, the verdict is a tie, a limit is reached first, or the
    conversation has a picture, which the judge cannot read. Then `on_abstain` decides:

    - `first` continues with the first candidate.
    - `raise` raises `Abstained`.
    - `ask` interrupts the agent with the candidates and the reasons. The agent needs a checkpointer. Resume it with the
      index of a candidate: `Command(resume=1)`. The interrupt has its own node after the model, so no candidate is
      drawn or judged again.

    The message of a step records how the step was chosen, in `response_metadata["egrm"]`; see `StepRecord`.

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
        if not 2 <= n <= MAX_CANDIDATES:
            raise SettingsError(f"n={n}: 2 to {MAX_CANDIDATES} candidates can be judged")
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
    ) -> _ModelCallResult:
        requests = iter(_independent(request, self._n))
        drawn = _fit(request, draw_steps(lambda: handler(next(requests)), self._n, self._started()))
        if (result := self._unjudged(drawn)) is not None:
            return result
        judge = partial(self._graph.invoke, _judge_input(request, drawn), context=_run_settings(drawn.left))
        try:
            verification = silent_context().run(judge)["verification"]
        except InputError as error:
            return self._decided(replace(drawn, unjudged=str(error)), None)
        return self._decided(drawn, verification)

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> _ModelCallResult:
        requests = iter(_independent(request, self._n))
        drawn = _fit(request, await adraw_steps(lambda: handler(next(requests)), self._n, self._started()))
        if (result := self._unjudged(drawn)) is not None:
            return result
        judging = self._graph.ainvoke(_judge_input(request, drawn), context=_run_settings(drawn.left))
        try:
            verification = (await asyncio.create_task(judging, context=silent_context()))["verification"]
        except InputError as error:
            return self._decided(replace(drawn, unjudged=str(error)), None)
        return self._decided(drawn, verification)

    def after_model(self, state: BestOfNState, runtime: Runtime[Any]) -> dict[str, Any] | None:  # noqa: ARG002
        waiting = state.get("egrm_undecided")
        if waiting is None:
            return None
        response = ask_human(waiting)
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

    def _unjudged(self, drawn: DrawnSteps) -> _ModelCallResult | None:
        """Return the result if the judge is not needed, or cannot be asked."""
        if (response := choose_without_judge(drawn)) is not None:
            return self._result(response)
        return None if drawn.unjudged is None else self._decided(drawn, None)

    def _decided(self, drawn: DrawnSteps, verification: Verification | None) -> _ModelCallResult:
        best = winner(drawn, verification)
        if best is not None:
            return self._result(with_record(best.response, record(drawn, "verdict", verification)))
        if self._on_abstain == "first":
            return self._result(with_record(drawn.steps[0].response, record(drawn, "first", verification)))
        step_record = record(drawn, "human", verification)
        if self._on_abstain == "raise":
            raise Abstained(f"none of {len(drawn.steps)} candidates was chosen: {explain_undecided(step_record)}")
        # The step has no message until the node that asks has run.
        update = {"egrm_undecided": undecided(drawn, step_record)}
        return ExtendedModelResponse(ModelResponse([]), Command(update=update))

    def _result(self, response: Response) -> _ModelCallResult:
        if self._on_abstain != "ask":
            return response
        # A thread that was abandoned while it waited for a human may still have an earlier step's candidates.
        return ExtendedModelResponse(response, Command(update={"egrm_undecided": None}))


def _judge(
    settings: Settings | None, graph: CompiledStateGraph[Any, Any, Any, Any] | None
) -> CompiledStateGraph[Any, Any, Any, Any]:
    if (settings is None) == (graph is None):
        raise SettingsError("give BestOfN exactly one of the judge's settings and a graph")
    if graph is not None:
        return graph
    assert settings is not None
    if settings.task not in ("auto", "tool_calls"):
        raise SettingsError(
            f"task={settings.task!r} does not judge the steps of an agent; leave it out, or set 'tool_calls'"
        )
    # The judge runs within a single step, so the agent's checkpointer does not need its state.
    return build_graph(settings.model_copy(update={"task": "tool_calls"}), checkpointer=False)


def _independent(request: ModelRequest[Any], n: int) -> list[ModelRequest[Any]]:
    """Return a request per candidate, without LangChain's response cache and with different seeds.

    Raises:
        SettingsError: a global cache is set, and it cannot be turned off for the model.
    """
    # Chat models, or wrappers that LangChain accepts in place of one.
    models: list[Any] = [independent(request.model, i) for i in range(n)]
    settings = [with_seed(request.model_settings, i) for i in range(n)]
    pairs = zip(models, settings, strict=True)
    return [request.override(model=model, model_settings=seeded) for model, seeded in pairs]


def _fit(request: ModelRequest[Any], drawn: DrawnSteps) -> DrawnSteps:
    return drawn if request.response_format is None else prefer_structured(drawn)


def _run_settings(left: Limits) -> RunSettings | None:
    limits: dict[str, Any] = {}
    if left.seconds_left is not None:
        limits["deadline_s"] = max(left.seconds_left, 1e-3)
    if left.tokens_left is not None:
        limits["max_completion_tokens"] = left.tokens_left
    return RunSettings(**limits) if limits else None


def _judge_input(request: ModelRequest[Any], drawn: DrawnSteps) -> dict[str, Any]:
    """Return the judge's input: the conversation, the tools, and the candidates.

    The candidates have no ids. With its id, the winner would look like an old message to a stream.
    """
    system = [] if request.system_message is None else [request.system_message]
    return {
        "messages": [*system, *request.messages],
        "candidates": [step.message.model_copy(update={"id": None}) for step in drawn.steps],
        "tools": _schemas(request),
    }


def _schemas(request: ModelRequest[Any]) -> list[dict[str, Any]]:
    tools = [tool if isinstance(tool, dict) else convert_to_openai_tool(tool) for tool in request.tools]
    output_format = request.response_format
    if isinstance(output_format, AutoStrategy):
        output_format = ToolStrategy(output_format.schema)
    specs = output_format.schema_specs if isinstance(output_format, ToolStrategy) else []
    return [*tools, *({"name": spec.name, "parameters": spec.json_schema} for spec in specs)]
