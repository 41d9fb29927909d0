"""Compute the rewards of the completions of one prompt, where completions with 56 are good."""

from typing import Any

from egrm_graph.integrations.trl_reward import as_trl_reward
from tests.integrations.judges import judging


def outcome(completions: list[Any]) -> list[float | str]:
    logged = dict[str, list[str]]()
    reward = as_trl_reward(judging("best_of_n", lambda text: "56" in text))
    prompts = [[{"role": "user", "content": "17+48-9"}]] * len(completions)
    scores = reward(prompts=prompts, completions=completions, log_extra=logged.__setitem__)
    return [reason if score is None else score for score, reason in zip(scores, logged["unrewarded"], strict=True)]
