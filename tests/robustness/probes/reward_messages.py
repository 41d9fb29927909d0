"""What a judge is shown of a prompt and its completion in TRL's form; where there is no reward, the reason."""

from typing import Any

from egrm_graph.integrations.trl_reward import as_trl_reward
from tests.integrations.watched import Watched


def outcome(given: dict[str, Any]) -> Any:
    watched, logged = Watched(), dict[str, list[str]]()
    reward = as_trl_reward(watched.graph, among="none")
    [score] = reward(prompts=[given["prompt"]], completions=[given["completion"]], log_extra=logged.__setitem__)
    assert (score is None) == bool(logged["unrewarded"][0])
    return watched.shown() if score is not None else logged["unrewarded"][0]
