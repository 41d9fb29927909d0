"""Read a reference in every place that accepts one."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from egrm_graph.benchmark.published_sets import read_questions
from egrm_graph.errors import EgrmError
from egrm_graph.integrations.evaluator import as_evaluator
from egrm_graph.integrations.trl_reward import as_trl_reward
from egrm_graph.integrations.verl_reward import as_verl_reward
from egrm_graph.messages.run_input import reference_of
from egrm_graph.replay.saved_runs import read_runs
from egrm_graph.training.training_data import read_rollouts
from tests.integrations.recording_judge import RecordingJudge

PATH = {"text": "65", "answer": "65", "correct": True}
RUN = {
    "id": 1, "route": "reasoned", "answer": "65", "confidence": 1.0, "samples": [{"answer": "65"}],
    "paths": [{"answer": "65"}], "uncertainty": {"samples": 1, "planned": 1},
}  # fmt: skip


def _file(**row: Any) -> Path:
    file = Path(tempfile.mkdtemp()) / "rows.jsonl"
    file.write_text(json.dumps(row) + "\n")
    return file


def _reference_in(judge: RecordingJudge) -> str | None:
    return next((text for who, text in judge.last_prompt() if who == "reference answer"), None)


def _input(reference: Any) -> str | None:
    return reference_of({"question": "17+48", "reference": reference})


def _bench(reference: Any) -> str | None:
    return read_questions(_file(question="17+48", reference=reference))[0].reference


def _rollouts(reference: Any) -> str | None:
    return read_rollouts(_file(id=1, question="17+48", reference=reference, paths=[PATH]))[0].reference


def _replay(reference: Any) -> str | None:
    compared: list[str] = []

    def same(one: str, other: str) -> bool:
        compared.append(other)
        return one == other

    read_runs(_file(**RUN), _file(id=1, reference=reference), same)
    return compared[-1]


def _evaluator(reference: Any) -> str | None:
    judge = RecordingJudge()
    result = as_evaluator(judge.graph)("17+48", "65", {"answer": reference})
    return _reference_in(judge) if judge.prompts else str(result["comment"])


def _trl(reference: Any) -> str | None:
    judge, logged = RecordingJudge(), dict[str, list[str]]()
    reward = as_trl_reward(judge.graph, among="none", reference_column="answer")
    reward(prompts=["17+48"], completions=["65"], answer=[reference], log_extra=logged.__setitem__)
    return _reference_in(judge) if judge.prompts else logged["unrewarded"][0]


def _verl(reference: Any) -> str | None:
    judge = RecordingJudge()
    as_verl_reward(judge.graph)("sums", "65", reference, {"question": "17+48"})
    return _reference_in(judge)


PLACES: dict[str, Callable[[Any], str | None]] = {
    "input": _input,
    "bench": _bench,
    "rollouts": _rollouts,
    "replay": _replay,
    "evaluator": _evaluator,
    "trl": _trl,
    "verl": _verl,
}


def outcome(reference: Any) -> dict[str, str | None]:
    found = {}
    for place, read in PLACES.items():
        try:
            found[place] = read(reference)
        except EgrmError as error:
            found[place] = str(error).rpartition("rows.jsonl")[2]
    return found
