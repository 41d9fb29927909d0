"""Record the arguments of a chat model inside LangChain's wrappers."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import FakeListLLM
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableLambda

from egrm_graph.clients.chat_model import ChatModelClient
from egrm_graph.clients.client import Sampling
from egrm_graph.errors import EgrmError
from tests.robustness.chat_models import RandomSeeded, Recorder, Untempered, numbered


def flaky(model: Recorder, options: dict[str, Any]) -> Any:
    if len(model.calls) == 1:
        raise ConnectionError("try again")
    return numbered(model, options)


async def outcome(given: dict[str, Any]) -> Any:
    """Return the arguments of two samples, or why the model was refused."""
    first = MODELS[given.get("model", "recorder")]()
    calls = first.calls
    try:
        client = ChatModelClient(wrapped(first, given["wrappers"]))
        sampling = Sampling(temperature=0.7, max_tokens=20)
        drawn = await client.sample([{"role": "user", "content": "?"}], sampling, seeds=(1, 2), request_id="r.f.0")
    except EgrmError as error:
        return f"{type(error).__name__}: {error}"
    return {"calls": calls, "answers": sum(each.finish_reason == "stop" for each in drawn.completions)}


def wrapped(model: Any, wrappers: list[Any]) -> Any:
    for name, options in wrappers:
        model = WRAPPERS[name](model, options) if name in WRAPPERS else getattr(model, name)(**options)
    return model


def _configurable(model: Any, fields: dict[str, str]) -> Any:
    return model.configurable_fields(**{name: ConfigurableField(id=key) for name, key in fields.items()})


def _alternatives(model: Any, options: dict[str, Any]) -> Any:
    other = Recorder(calls=model.calls, max_tokens=1)
    return model.configurable_alternatives(ConfigurableField(id="model"), other=other)


def _init_chat_model(model: Any, options: dict[str, Any]) -> Any:
    from langchain.chat_models import init_chat_model

    return init_chat_model(**options)


MODELS: dict[str, Any] = {
    "recorder": Recorder,
    "flaky": lambda: Recorder(answer=flaky),
    "zero": lambda: Recorder(temperature=0, seed=42),
    "extra body": lambda: Recorder(extra_body={"seed": 42, "top_k": 20}),
    "random_seed": lambda: RandomSeeded(random_seed=42),
    "untempered": Untempered,
}
WRAPPERS: dict[str, Any] = {
    "fields": _configurable,
    "alternatives": _alternatives,
    "fallback": lambda model, _: model.with_fallbacks([Recorder(calls=model.calls)]),
    "fallback without a temperature": lambda model, _: model.with_fallbacks([Untempered()]),
    "prompt": lambda model, _: ChatPromptTemplate.from_messages([("user", "{q}")]) | model,
    "parser": lambda model, _: model | StrOutputParser(),
    "function": lambda model, _: RunnableLambda(model.invoke),
    "completion model": lambda model, _: FakeListLLM(responses=["56"]),
    "listeners": lambda model, _: model.with_listeners(on_start=lambda run: None),
    "structured": lambda model, schema: model.with_structured_output(schema),
    "init_chat_model": _init_chat_model,
}
