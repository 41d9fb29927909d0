"""A short GRPO run: the bundled model learns to give the sum directly instead of step by step.

The graph compares the completions of one prompt. A completion's reward is the estimated probability that it is the best
of its group, and a group of equal completions has no rewards. Needs the extra `train`. For your own run, set `model`
and use a judge behind a server.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from egrm_graph import Settings, build_graph
from egrm_graph.integrations.trl_reward import as_trl_reward
from egrm_graph.runtime.bundled_models import bundled

PAIRS = Path(__file__).with_name("pairs.jsonl")


def train(graph: Any, output: Path, steps: int = 20) -> list[dict[str, float]]:
    """Train, and return what the trainer logged at each step."""
    from datasets import Dataset
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    prompts = [json.loads(line)["prompt"] + "=" for line in PAIRS.read_text().splitlines()]
    trainer = GRPOTrainer(
        model=str(bundled("egrm-tiny")),
        reward_funcs=as_trl_reward(graph),
        train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in prompts]),
        args=GRPOConfig(
            output_dir=str(output),
            max_steps=steps,
            per_device_train_batch_size=16,
            num_generations=8,
            max_completion_length=8,
            learning_rate=1e-5,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            bf16=False,
        ),
    )
    trainer.train()
    return [entry for entry in trainer.state.log_history if "reward" in entry]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for step in train(build_graph(Settings(task="best_of_n")), Path(folder)):
            judged = 1 - step["egrm/unrewarded_share"]
            print(f"judged {judged:4.0%}", f"mean reward {step['reward']:.3f}" if judged else "")
