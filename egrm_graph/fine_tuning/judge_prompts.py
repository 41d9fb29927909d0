"""What a judge is shown: the prompts of the graph, for each pair in every order.

A judge that is trained on them sees the very same prompts when the graph calls it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from egrm_graph.clients.client import Completion, prompt_text, started_turn
from egrm_graph.clients.embedded import EmbeddedClient
from egrm_graph.clients.embedded_worker import EmbeddedWorker
from egrm_graph.errors import InputError, SettingsError
from egrm_graph.extensions import Extensions
from egrm_graph.fine_tuning.completion_rows import ChatTurn
from egrm_graph.fine_tuning.fine_tuning_output import read_origin
from egrm_graph.fine_tuning.judge_settings import JudgeTraining
from egrm_graph.fine_tuning.judged_pairs import JudgedPair
from egrm_graph.fine_tuning.language_model import LanguageModel
from egrm_graph.parts import Parts, assemble
from egrm_graph.settings import Settings
from egrm_graph.strategies.strategy import Known, PathCall, Round
from egrm_graph.tasks.judging import Judging
from egrm_graph.training.output import base_name
from egrm_graph.verification import Asked, Message, View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PreTrainedTokenizerBase

ROWS_AT_ONCE = 128
"""Rows that the model decodes at once when held-out pairs are judged."""


class JudgePrompt(NamedTuple):
    """One pair in one order, as the judge sees it."""

    messages: Sequence[Message]
    view: View
    pair: JudgedPair

    def written_for(self, tokenizer: PreTrainedTokenizerBase) -> str | tuple[ChatTurn, ...]:
        """Chat messages or, for a model without a chat template, the text that it continues, as the client sends it."""
        if not tokenizer.chat_template:
            return prompt_text(self.messages, "\n")
        return tuple(ChatTurn.model_validate(message) for message in self.messages)


def judge_name(config: JudgeTraining) -> str:
    """The name by which a graph knows the judge. It decides the format of the candidates."""
    trained_as = read_origin(config.base).get("judged_as")
    return config.judged_as or (trained_as if isinstance(trained_as, str) else base_name(config.base))


def judging_parts(config: JudgeTraining, base: LanguageModel, extensions: Extensions | None = None) -> Parts:
    """The parts of a graph whose model is this one in memory, without a scorer. The client leaves the model's
    generation settings unchanged.

    Raises:
        SettingsError: the task does not judge candidates, or a name is unknown.
    """
    settings = Settings(
        engine="embedded",
        model=judge_name(config),
        task=config.task,
        strategy=config.strategy,
        prompts=config.prompts,
        scorer=None,
        path_temperature=config.temperature,
        path_max_tokens=config.rollout_tokens,
        path_thinking=config.thinking,
        path_stopping="all",
        seed=config.seed,
    )
    generation = base.model.generation_config
    worker = EmbeddedWorker(base.model, base.tokenizer, name=settings.model, max_batch_rows=ROWS_AT_ONCE)
    base.model.generation_config = generation  # the worker replaced it, and the trained model is saved with it
    parts = assemble(settings, EmbeddedClient(worker), scorer=None, extensions=extensions)
    if not isinstance(parts.task, Judging):
        raise SettingsError(f"the task {config.task!r} does not judge candidates; set task (--task) to 'pairwise'")
    return parts


def known_of(parts: Parts, pair: JudgedPair) -> Known:
    """What a strategy knows about a pair, with one path in each order. Without views if nothing has to be judged.

    Raises:
        InputError: the task cannot judge the pair.
    """
    inputs: Mapping[str, object] = {"question": pair.question, "candidates": list(pair.candidates)}
    asked = Asked(**parts.task.ask(inputs, parts.settings), run_id=uuid.uuid4().hex, started_at=time.time())
    views = parts.task.views(asked, parts.settings, len(pair.candidates))
    return Known(asked, views, parts.task, parts.prompts, parts.settings)


def judge_prompts(parts: Parts, pairs: Sequence[JudgedPair]) -> list[JudgePrompt]:
    """The prompts of all pairs, in every order. Pairs without two different candidates have none.

    Raises:
        SettingsError: no single prompt leads to a judgment of the strategy.
        InputError: the task cannot judge a pair.
    """
    return [prompt for i, pair in enumerate(pairs) for prompt in _prompts(parts, pair, i)]


def _prompts(parts: Parts, pair: JudgedPair, i: int) -> list[JudgePrompt]:
    try:
        known = known_of(parts, pair)
    except InputError as error:
        raise InputError(f"pair {pair.id if pair.id is not None else i + 1} cannot be judged: {error}") from error
    return [JudgePrompt(call.prompt, view, pair) for call, view in _only_calls(parts, known)] if known.views else []


def _only_calls(parts: Parts, known: Known) -> Sequence[PathCall]:
    """The calls of a strategy that draws each path in one call.

    Raises:
        SettingsError: it does not, or it starts the judge's turn.
    """
    strategy = parts.strategy(parts.settings)
    calls = strategy.next_calls(known)
    views = known.path_views()
    answered = known.after(Round(calls, [[Completion("", "stop", 0)] for _ in calls]))
    if [id(call.view) for call in calls] != [id(view) for view in views] or strategy.next_calls(answered):
        raise SettingsError(
            f"the strategy {strategy.name!r} draws a path in more than one call, so no single prompt leads to its "
            "judgment; set strategy (--strategy) to one that needs one call, such as 'plain' or 'mixed'"
        )
    if any(started_turn(call.prompt) for call, _ in calls):
        raise SettingsError(
            f"the strategy {strategy.name!r} starts the reply of the judge, which cannot be trained; set strategy "
            "(--strategy) to one whose prompts end with the user's turn, such as 'plain'"
        )
    return calls
