"""The options that commands share: one for every setting.

An option that is given wins over its `EGRM_` variable, and that over the default. The API key has no option: a command
line is seen by everybody on the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from egrm_graph.cli.setting_options import flag, with_fields
from egrm_graph.clients.engines import ENGINES
from egrm_graph.errors import SettingsError
from egrm_graph.settings import RunSettings, Settings, settings_from_environment

ONLY_FOR_SERVERS = ("base_url", "endpoint")
WHOLE = {"trace_level": "full", "trace_tokens": 5}


class Options(Settings):
    """The settings, and what the command line has beside them."""

    trace: bool = False
    """Record runs whole, tokens and their alternatives included (--trace-level full --trace-tokens 5), to be looked at
    with `egrm trace`."""


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The settings of the environment, with the options that were given.

    Raises:
        SettingsError: a value is out of range, or options do not fit together.
    """
    given = dict(given)
    if given.pop("trace", False):
        given = {**WHOLE, **given}
    settings = settings_from_environment(**given)
    if settings.scorer == "none":  # from the environment, which has only text
        settings = settings.model_copy(update={"scorer": None})
    for name in ONLY_FOR_SERVERS:
        if name in given and not ENGINES[settings.engine].has_endpoint:
            raise SettingsError(
                f"{flag(name)} is for a server, and the engine is {settings.engine}; add --engine vllm or openai"
            )
    return settings


def _panel(name: str) -> str:
    if name.startswith(("trace", "telemetry")):
        return "Tracing"
    if name not in RunSettings.model_fields:
        return "Model and server"
    return "Sampling" if name.startswith(("fast_", "path_", "stop")) and name != "stopping" else "Gate and limits"


with_settings = with_fields(
    Options,
    "settings",
    settings_of,
    without=("api_key",),
    panel=_panel,
    metavars={
        "model": "NAME|PATH",
        "prompts": "NAME|FOLDER",
        "measure": "NAME",
        "scorer": "PATH|none",
        "scorer_url": "URL|none",
        "base_url": "URL",
        "trace_store": "PATH",
    },
)
"""Gives a command an option for every setting; it gets them all as its argument `settings`."""
