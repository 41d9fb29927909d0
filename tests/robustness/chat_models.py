"""LangChain chat models that record their arguments and number their answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

Answer = Callable[[Any, dict[str, Any]], AIMessage]

FIELDS = ("temperature", "seed", "random_seed", "max_tokens", "extra_body")


def numbered(model: Any, options: dict[str, Any]) -> AIMessage:
    return AIMessage(f"answer {len(model.calls)}")


class Untempered(BaseChatModel):
    """A chat model without sampling fields."""

    calls: Any = Field(default_factory=list)  # not a list to pydantic, which would copy it
    answer: Answer = numbered

    @property
    def _llm_type(self) -> str:
        return "recorder"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], stop: Any = None, *_: Any, **options: Any) -> ChatResult:
        fields = {name: getattr(self, name, None) for name in FIELDS}
        arguments = {**fields, "stop": stop, **options}
        self.calls.append({name: value for name, value in arguments.items() if value is not None})
        return ChatResult(generations=[ChatGeneration(message=self.answer(self, self.calls[-1]))])

    async def _agenerate(self, messages: list[BaseMessage], stop: Any = None, *_: Any, **options: Any) -> ChatResult:
        return self._generate(messages, stop, **options)  # not in a thread, so the calls have the order of the samples


class Recorder(Untempered):
    """A chat model with the usual sampling fields."""

    temperature: float | None = None
    seed: int | None = None
    max_tokens: int | None = None
    extra_body: dict[str, Any] | None = None


class Seedless(Untempered):
    """A chat model without a seed, as of Anthropic and Bedrock."""

    temperature: float | None = None


class RandomSeeded(Untempered):
    """A chat model with Mistral's name for the seed."""

    temperature: float | None = None
    random_seed: int | None = None
