"""Compare the outputs of several runs on one example, where outputs with 56 are good."""

from typing import Any
from uuid import UUID

from egrm_graph.integrations.evaluator import as_comparative_evaluator
from tests.integrations.judges import judging


class Run:
    def __init__(self, number: int) -> None:
        self.id = UUID(int=number)


def outcome(outputs: list[Any]) -> list[Any]:
    compare = as_comparative_evaluator(judging("best_of_n", lambda text: "56" in text))
    runs = [Run(i) for i in range(len(outputs))]
    result = compare(runs, {"question": "17+48-9"}, outputs)
    return [[result["scores"][run.id] for run in runs], result["comment"]]
