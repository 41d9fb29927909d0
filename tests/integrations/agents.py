"""A chat model and a judge with scripted answers."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph.state import CompiledStateGraph
from pydantic import Field, PrivateAttr

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient

Answer = Callable[[Sequence[BaseMessage], int], AIMessage]


class Model(BaseChatModel):
    """A chat model whose answer is a function of the conversation and the call number. Streams word by word."""

    answer: Answer
    delays_s: dict[int, float] = Field(default_factory=dict)
    """By call number."""
    bound: list[Any] = Field(default_factory=list)
    temperature: float | None = None
    _numbers: list[int] = PrivateAttr(default_factory=list)
    _running: set[int] = PrivateAttr(default_factory=set)
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    @property
    def calls(self) -> int:
        return len(self._numbers)

    @property
    def running(self) -> set[int]:
        """The numbers of the calls in progress."""
        return self._running

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        self.bound[:] = tools
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **options: Any) -> ChatResult:
        number = self._started()
        try:
            time.sleep(self.delays_s.get(number, 0))
            return _result(self.answer(messages, number))
        finally:
            self._running.discard(number)

    async def _agenerate(self, messages: list[BaseMessage], *_: Any, **options: Any) -> ChatResult:
        number = self._started()
        try:
            await asyncio.sleep(self.delays_s.get(number, 0))
            return _result(self.answer(messages, number))
        finally:
            self._running.discard(number)

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **options: Any
    ) -> Iterator[ChatGenerationChunk]:
        said = self._generate(messages).generations[0].message
        assert isinstance(said, AIMessage)
        for word in re.findall(r"\S+\s*", str(said.text)):
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
        calls: Any = [
            {"name": call["name"], "args": json.dumps(call["args"]), "id": call["id"], "index": i}
            for i, call in enumerate(said.tool_calls)
        ]
        yield ChatGenerationChunk(
            message=AIMessageChunk(content="", tool_call_chunks=calls, usage_metadata=said.usage_metadata)
        )

    def _started(self) -> int:
        with self._lock:
            number = len(self._numbers)
            self._numbers.append(number)
            self._running.add(number)
        return number


def steps(*candidates: AIMessage | Exception, then: str = "done") -> Answer:
    """Answer the first step with the candidate of the call number, and tool results always with the same text."""

    def answer(messages: Sequence[BaseMessage], number: int) -> AIMessage:
        if isinstance(messages[-1], ToolMessage):
            return said(then)
        candidate = candidates[number]
        if isinstance(candidate, Exception):
            raise candidate
        return candidate

    return answer


def said(text: str, *calls: tuple[str, dict[str, Any]], n_tokens: int = 5) -> AIMessage:
    """Return a message with a number of tokens, and with tool calls that have unique ids."""
    return AIMessage(
        text,
        tool_calls=[{"name": name, "args": args, "id": uuid.uuid4().hex} for name, args in calls],
        usage_metadata={"input_tokens": 10, "output_tokens": n_tokens, "total_tokens": 10 + n_tokens},
        response_metadata={"model_name": "scripted"},
    )


def judge(choose: Callable[[dict[str, str], str], str | None]) -> ScriptedClient:
    """Return a judge. `choose` gets the candidates by label and the code of their fences, and returns a label."""

    def answer(prompt: Sequence[Any], seed: int, request_id: str) -> str:
        text = prompt[-1]["content"]
        found = re.findall(r"\[candidate (\w+) (\w{8})\]\n(.*?)\n\[end of candidate", text, re.DOTALL)
        code = found[0][1]
        label = choose({label: candidate for label, _, candidate in found}, code)
        if label is None:
            return "I cannot say."
        return f"{code}: {label}" if ".expand_cot." in request_id else label

    return ScriptedClient(answer)


def preferring(part: str) -> ScriptedClient:
    """Return a judge that chooses the candidate whose text contains `part`."""
    return judge(lambda candidates, _: next((label for label, text in candidates.items() if part in text), None))


def graph_of(client: ScriptedClient, **settings: Any) -> CompiledStateGraph[Any, Any, Any, Any]:
    return build_graph(Settings(task="tool_calls", **settings), client=client, scorer=None, checkpointer=False)


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])
