"""What a judge is shown of the values that an evaluator gets; of those it refuses, the comment."""

from typing import Any

from egrm_graph.integrations.evaluator import Fields, as_evaluator
from tests.integrations.watched import Watched


def outcome(given: dict[str, Any]) -> Any:
    watched = Watched()
    fields = Fields(**given.pop("fields")) if "fields" in given else None
    told = as_evaluator(watched.graph, fields=fields)(**given)
    assert (told["score"] is None) == (not watched.prompts)
    return watched.shown() if watched.prompts else told["comment"]
