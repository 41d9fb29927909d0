"""What a judge is shown of the values that an evaluator gets; of those it refuses, the comment."""

from typing import Any

from egrm_graph.integrations.evaluator import Fields, as_evaluator
from tests.integrations.recording_judge import RecordingJudge


def outcome(given: dict[str, Any]) -> Any:
    judge = RecordingJudge()
    fields = Fields(**given.pop("fields")) if "fields" in given else None
    told = as_evaluator(judge.graph, fields=fields)(**given)
    assert (told["score"] is None) == (not judge.prompts)
    return judge.last_prompt() if judge.prompts else told["comment"]
