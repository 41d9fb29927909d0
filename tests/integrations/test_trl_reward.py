"""Tests for TRL reward functions: groups, conversations, and missing rewards."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.integrations.trl_reward import as_async_trl_reward, as_trl_reward
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.settings import BUNDLED_MODEL
from tests.integrations.judges import judging, summing


class Log:
    """Records what a reward function logs."""

    def __init__(self) -> None:
        self.extra: dict[str, list[Any]] = {}
        self.metrics: dict[str, float] = {}

    def columns(self) -> dict[str, Any]:
        return {"log_extra": self.extra.__setitem__, "log_metric": self.metrics.__setitem__}


@pytest.mark.parametrize("sync", [True, False])
def test_completions_of_a_prompt_are_compared(sync: bool) -> None:
    graph = judging("best_of_n", lambda text: text in ("2", "4"))
    prompts, completions = ["1+1", "2+2", "1+1", "2+2", "2+2"], ["2", "3", "3", "4", "4"]
    if sync:
        rewards = as_trl_reward(graph)(prompts=prompts, completions=completions)
    else:
        rewards = asyncio.run(as_async_trl_reward(graph)(prompts=prompts, completions=completions))
    assert rewards == [1.0, 0.0, 0.0, 1.0, 1.0]


def test_conversations_are_judged_by_their_last_message() -> None:
    graph = judging("best_of_n", lambda text: text == "2")
    prompt = [{"role": "system", "content": "Add."}, {"role": "user", "content": "1+1"}]
    said = [{"role": "assistant", "content": "Let me see."}, {"role": "assistant", "content": "2"}]
    completions = [said, [{"role": "assistant", "content": "3"}]]
    assert as_trl_reward(graph)(prompts=[prompt, prompt], completions=completions) == [1.0, 0.0]


def test_each_completion_is_graded_on_its_own_with_its_reference() -> None:
    client = ScriptedClient(
        lambda prompt, seed, request_id: "5" if "[reference answer" in prompt[0]["content"] else "1"
    )
    reward = as_trl_reward(
        build_graph(Settings(task="pointwise"), client=client, scorer=None), among="none", reference_column="answer"
    )
    assert reward(prompts=["1+1", "1+1"], completions=["2", "2"], answer=[2, None]) == [1.0, 0.0]


def test_a_missing_column_is_named() -> None:
    reward = as_trl_reward(judging("best_of_n", bool), reference_column="answer")
    with pytest.raises(SettingsError, match="the data set has no column 'answer'"):
        reward(prompts=["1+1"], completions=["2"], solution=["2"])


def test_reasons_for_missing_rewards_are_logged() -> None:
    log = Log()
    graph = judging("best_of_n", lambda text: text in ("2", "4"), lost="9-9")
    prompts = ["1+1", "1+1", "1+1", "2+2", "2+2", "9-9", "9-9", "3+3"]
    completions = ["2", "", "3", "4", "4", "1", "2", "6"]
    rewards = as_trl_reward(graph)(prompts=prompts, completions=completions, **log.columns())
    assert rewards == [1.0, None, 0.0, None, None, None, None, None]
    reasons = log.extra["unrewarded"]
    assert [bool(reason) for reason in reasons] == [reward is None for reward in rewards]
    assert reasons[1] == "it is empty"
    assert reasons[3] == "all candidates are equal; nothing had to be judged"
    assert "the server is away" in reasons[5]
    assert reasons[7] == "the task best_of_n takes 2 to 64 candidates, not 1"
    assert log.metrics == {"egrm/unrewarded_share": 6 / 8}


def test_a_prompt_that_json_cannot_hold_loses_only_its_own_reward() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    reward = as_trl_reward(judging("best_of_n", lambda text: text == "2"))
    assert reward(prompts=[nested, "1+1", "1+1"], completions=["1", "2", "3"]) == [None, 1.0, 0.0]


def test_a_graph_that_does_not_judge_raises_a_setup_error() -> None:
    graph = build_graph(Settings(task="arithmetic"), client=ScriptedClient(fast=["2"] * 5), scorer=None)
    with pytest.raises(SettingsError, match="answers questions; to judge"):
        as_trl_reward(graph)(prompts=["1+1", "1+1"], completions=["2", "3"])


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # within transformers
def test_the_real_trainer_accepts_sync_and_async_rewards(tmp_path: Path) -> None:
    from datasets import Dataset
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    graph = summing()
    rewards: Any = [as_trl_reward(graph, name="sync"), as_async_trl_reward(graph, name="async")]
    options: Any = {"num_generations": 8, "max_completion_length": 8, "max_steps": 2, "logging_steps": 1}
    trainer = GRPOTrainer(
        model=str(bundled(BUNDLED_MODEL)),
        reward_funcs=rewards,  # TRL's types have no coroutine functions
        train_dataset=Dataset.from_list([{"prompt": f"{n}+58-18-30+39="} for n in range(60, 80)]),
        args=GRPOConfig(
            str(tmp_path),
            per_device_train_batch_size=16,
            use_cpu=True,
            bf16=False,
            report_to="none",
            save_strategy="no",
            **options,
        ),
    )
    trainer.train()
    steps = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert len(steps) == 2
    judged = [step for step in steps if step["egrm/unrewarded_share"] < 1]
    assert judged
    for step in judged:
        assert 0 < step["rewards/sync/mean"] == step["rewards/async/mean"] <= 1
        assert step["grad_norm"] > 0
