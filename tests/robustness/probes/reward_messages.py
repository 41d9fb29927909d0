"""Read a prompt and its completion in TRL's form as a judge does, or return why it has no reward."""

from typing import Any

from egrm_graph.integrations.trl_reward import as_trl_reward
from tests.integrations.recording_judge import RecordingJudge


def outcome(given: dict[str, Any]) -> Any:
    judge, logged = RecordingJudge(), dict[str, list[str]]()
    reward = as_trl_reward(judge.graph, among="none")
    [score] = reward(prompts=[given["prompt"]], completions=[given["completion"]], log_extra=logged.__setitem__)
    assert (score is None) == bool(logged["unrewarded"][0])
    return judge.last_prompt() if score is not None else logged["unrewarded"][0]
