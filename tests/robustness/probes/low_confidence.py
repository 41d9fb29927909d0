"""Run the graph on questions that it answers with a low confidence."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from egrm_graph import RunSettings, Settings, build_graph
from egrm_graph.clients.scripted import ScriptedClient
from egrm_graph.errors import SettingsError
from egrm_graph.scoring.scorer import Scorer, Unscored
from tests.calibrations import written
from tests.judges import first, longest, noisy, script

JUDGES = {"first": first, "longest": longest, "noisy": noisy}
FIELDS = ("status", "route", "answer", "best_guess", "winner", "rewards", "confidence", "calibrated", "reasons")


class Scored:
    """Gives the paths these scores, in order."""

    name = "scored"

    def __init__(self, scores: Sequence[float | None], calibrated: bool) -> None:
        self._scores, self.calibrated = scores, calibrated

    async def score(self, question: str, paths: Sequence[str]) -> list[float | Unscored]:
        return [Unscored("unlucky") if score is None else score for score in self._scores[: len(paths)]]

    async def aclose(self) -> None: ...


async def outcome(given: dict[str, Any]) -> dict[str, Any]:
    """Return the verification.

    `bundled` runs the bundled model, and `judge` a scripted judge. Otherwise the answers are scripted. `calibration`
    changes a handwritten calibration.
    """
    settings, scorer = dict(given.get("settings", {})), given.get("scorer")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "calibration" in given:
            settings["calibration"] = written(Path(folder), **given["calibration"])
        try:
            graph = _graph(given, settings, None if scorer is None else Scored(**scorer))
            question = {"question": "1+1", **given["asked"]}
            verification = (await graph.ainvoke(question, context=RunSettings(**given.get("run", {}))))["verification"]
        except SettingsError as error:
            return {"error": type(error).__name__, "message": str(error)}
    result = {name: verification[name] for name in FIELDS if verification[name] is not None}
    confidence = result.get("confidence")
    return result if confidence is None else {**result, "confidence": float(f"{confidence:.3g}")}


@cache
def _bundled() -> Any:
    return build_graph()


def _graph(given: dict[str, Any], settings: dict[str, Any], scorer: Scorer | None) -> Any:
    if given.get("bundled"):
        return _bundled()
    client = ScriptedClient(fast=given.get("fast", ()), paths=given.get("paths", ()), name="egrm-tiny")
    if "judge" in given:
        client = ScriptedClient(script(JUDGES[given["judge"]]), name="judge")
    gate = {} if "calibration" in settings else {"preset": "published"}
    return build_graph(Settings(**{**gate, **settings}), client=client, scorer=scorer)
