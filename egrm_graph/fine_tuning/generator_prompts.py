"""What a generator in training is asked: the prompts of the graph for a path.

A generator that is trained on them sees the very same prompts when the graph calls it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.clients.embedded_worker import EmbeddedWorker
from egrm_graph.errors import InputError
from egrm_graph.fine_tuning.fine_tuning_output import read_origin
from egrm_graph.fine_tuning.generator_questions import AnsweredQuestion
from egrm_graph.fine_tuning.generator_settings import GeneratorTraining
from egrm_graph.fine_tuning.language_model import LanguageModel
from egrm_graph.fine_tuning.mixture_draws import mixture_parts
from egrm_graph.parts import Parts, assemble, scorer_folder
from egrm_graph.settings import Settings
from egrm_graph.strategies.strategy import NODE
from egrm_graph.training.output import base_name, base_sha256
from egrm_graph.verification import Asked, Message

ROWS_AT_ONCE = 256
"""Rows that the model decodes at once when it is measured."""


def generator_name(config: GeneratorTraining) -> str:
    """The name by which a graph knows the generator."""
    trained_as = read_origin(config.base).get("known_as")
    return config.known_as or (trained_as if isinstance(trained_as, str) else base_name(config.base))


def scorer_origin(config: GeneratorTraining) -> dict[str, Any]:
    """Which scorer a training depends on; empty without one."""
    folder = scorer_folder(_settings(config))
    if folder is None:
        return {}
    return {"scorer": base_name(str(folder)), "scorer_sha256": base_sha256(str(folder))}


def generator_parts(config: GeneratorTraining, base: LanguageModel) -> Parts:
    """The parts of a graph whose model is this one in memory, with one path for a question.

    Raises:
        SettingsError: the task judges candidates, or a name is unknown.
        ModelError: the scorer cannot be loaded.
    """
    settings = _settings(config)
    generation = base.model.generation_config
    worker = EmbeddedWorker(base.model, base.tokenizer, name=settings.model, max_batch_rows=ROWS_AT_ONCE)
    base.model.generation_config = generation  # the worker replaced it, and the trained model is saved with it
    return mixture_parts(assemble(settings, EmbeddedClient(worker)))


def _settings(config: GeneratorTraining) -> Settings:
    return Settings(
        engine="embedded",
        model=generator_name(config),
        task=config.task,
        prompts=config.prompts,
        scorer=config.scorer,
        samples=config.samples,
        paths=1,
        path_temperature=config.temperature,
        path_max_tokens=config.rollout_tokens,
        path_thinking=config.thinking,
        seed=config.seed,
    )


def path_prompts(parts: Parts, questions: Sequence[AnsweredQuestion]) -> list[list[Message]]:
    """The prompt for a path of each question.

    Raises:
        InputError: the task cannot ask a question.
    """
    return [_prompt(parts, question) for question in questions]


def _prompt(parts: Parts, question: AnsweredQuestion) -> list[Message]:
    inputs = {"question": question.question, "reference": question.reference}
    try:
        asked = Asked(**parts.task.ask(inputs, parts.settings), run_id="", started_at=time.time())
    except InputError as error:
        raise InputError(f"the question {question.question[:80]!r} cannot be asked: {error}") from error
    view = parts.task.views(asked, parts.settings, 1)[0]
    return parts.prompts.render(NODE, view["variables"], view["history"])
