"""Read the stop texts in the requests of both stages, or the error."""

import tempfile
from pathlib import Path
from typing import Any

from egrm_graph.clients.server_requests import sample_body
from egrm_graph.drawing.fast_answers import fast_calls
from egrm_graph.errors import SettingsError
from egrm_graph.parts import assemble
from egrm_graph.settings import Settings
from egrm_graph.strategies.strategy import Known
from egrm_graph.verification import Asked


def outcome(given: dict[str, Any]) -> list[list[str]] | str:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in given.get("prompts", {}).items():
            (Path(folder) / f"{name}.md").write_text(text)
        try:
            return _sent({**given, "prompts": folder} if "prompts" in given else given)
        except SettingsError as error:
            return f"SettingsError: {error}".replace(folder, "FOLDER")


def _sent(given: dict[str, Any]) -> list[list[str]]:
    parts = assemble(_settings(given), scorer=None)
    asked = Asked(**parts.task.ask({"question": "17+48?"}, parts.settings), run_id="run", started_at=0.0)
    views = parts.task.views(asked, parts.settings, 1)
    calls = fast_calls(asked, views, parts.prompts, parts.settings)
    known = Known(asked, views, parts.task, parts.prompts, parts.settings)
    calls += [call for call, _ in known.calls("expand_cot", known.path_views())]
    endpoint = parts.settings.endpoint
    return [sample_body(endpoint, "m", call.prompt, call.sampling, call.seeds, switch=True)["stop"] for call in calls]


def _settings(given: dict[str, Any]) -> Settings:
    from pydantic import ValidationError

    from egrm_graph.settings import explain

    try:
        return Settings(engine="vllm", model="m", **given)
    except ValidationError as error:
        raise SettingsError(explain(error)) from error
