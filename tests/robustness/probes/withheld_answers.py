"""Pass a withheld answer or verdict through the integrations."""

import json
import tempfile
from pathlib import Path
from typing import Any

from egrm_graph import Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import EgrmError
from egrm_graph.integrations.evaluator import as_evaluator
from egrm_graph.integrations.tool import as_tool
from egrm_graph.integrations.trl_reward import as_trl_reward
from tests.calibrations import written
from tests.judges import longest, script

WRONG = [[0.5, 0.1, 10], [1.0, 0.2, 40]]


def graph(folder: Path, task: Any) -> Any:
    """Return a graph whose direct answers and verdicts are right with a calibrated probability of 0.2."""
    grades = ScriptedClient(fast=["5"] * 4, name="judge")
    client = ScriptedClient(script(longest), name="judge") if task == "pairwise" else grades
    file = written(folder, model="judge", task=task, fast_right=WRONG)
    return build_graph(Settings(task=task, calibration=file), client=client, scorer=None)


def outcome(given: dict[str, str]) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return USES[given["in"]](graph(Path(folder), given["task"]), given["task"])
        except EgrmError as error:
            return f"{type(error).__name__}: {error}"


def tool(built: Any, task: Any) -> Any:
    asked = {"arithmetic": {"question": "2+3"}, "pairwise": {"question": "2+3", "candidates": ["five", "three"]}}[task]
    call = {"name": "it", "args": asked, "id": "1", "type": "tool_call"}
    message = as_tool(built, task=task).invoke(call)
    return {"summary": json.loads(message.content), "best_guess in the artifact": message.artifact["best_guess"]}


def evaluator(built: Any, _: Any) -> Any:
    result = as_evaluator(built)({"question": "2+3"}, {"answer": "five"})
    return {name: result[name] for name in ("score", "comment")}


def trl(built: Any, _: Any) -> Any:
    return as_trl_reward(built)(["2+3", "2+3"], ["five", "three"])


USES = {"tool": tool, "evaluator": evaluator, "TRL reward": trl}
