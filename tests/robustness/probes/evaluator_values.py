"""Read the values of an evaluator as a judge does, or return the comment if they are refused."""

from typing import Any

from egrm_graph.integrations.evaluator import Fields, as_evaluator
from tests.integrations.recording_judge import RecordingJudge


def outcome(given: dict[str, Any]) -> Any:
    judge = RecordingJudge()
    fields = Fields(**given.pop("fields")) if "fields" in given else None
    result = as_evaluator(judge.graph, fields=fields)(**given)
    assert (result["score"] is None) == (not judge.prompts)
    return judge.last_prompt() if judge.prompts else result["comment"]
