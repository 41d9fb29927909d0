"""The options that commands share: one for each setting.

An option takes precedence over its `EGRM_` variable, and the variable over the default. The API key has no option,
because other users of the machine can see a command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from egrm_graph.cli.setting_options import flag, with_fields
from egrm_graph.clients.engines import ENGINES
from egrm_graph.errors import SettingsError
from egrm_graph.settings import RunSettings, Settings, settings_from_environment

ONLY_FOR_SERVERS = ("base_url", "endpoint")
FULL_TRACE = {"trace_level": "full", "trace_tokens": 5}

COMMON: Mapping[str, str] = {
    "engine": "embedded, vllm, openai, or chat_model.",
    "model": "Name or folder.",
    "base_url": "Model server. Repeatable. Without it or --engine, the model runs in this process.",
    "task": "answer, arithmetic, pairwise, best_of_n, tool_calls, pointwise, or auto.",
    "scorer": "Scorer folder, or none.",
    "scorer_url": "vLLM server of the scorer.",
    "calibration": "Gate from `egrm calibrate`.",
    "samples": "Number of fast answers.",
    "measure": "Certainty measure.",
    "threshold": "Where the gate opens.",
    "paths": "Most paths.",
    "path_max_tokens": "Longest path in tokens.",
    "min_confidence": "Abstain below it, if the confidence is calibrated.",
    "seed": "Seed of all samples.",
    "deadline_s": "Seconds for one run.",
    "trace": "Record runs for `egrm trace`.",
    "trace_store": "Where records go.",
}
"""The settings that `--help` lists, each with a short text. `--help-all` lists all settings."""

DEFAULT_TEXTS: Mapping[str, str] = {
    "engine": "embedded; openai with --base-url",
    "model": "the bundled model",
    "base_url": "",
    "threshold": "by measure; 0.9 for consensus",
    "paths": "4; 8 if stopped",
}
"""What `--help` calls the defaults that depend on other settings. `--help-all` has the values."""


class Options(Settings):
    """The settings, and what only the command line has."""

    trace: bool = False
    """Record runs in full, with tokens and their alternatives, for `egrm trace`. Short for --trace-level full
    --trace-tokens 5."""


def settings_of(options: Mapping[str, Any]) -> Settings:
    """Combine the options with the settings from the environment.

    Raises:
        SettingsError: a value is out of range, or options conflict.
    """
    options = dict(options)
    if options.pop("trace", False):
        options = {**FULL_TRACE, **options}
    settings = settings_from_environment(**options)
    for name in ("scorer", "tree_scorer"):
        if getattr(settings, name) == "none":  # from the environment, which has only text
            settings = settings.model_copy(update={name: None})
    for name in ONLY_FOR_SERVERS:
        if name in options and not ENGINES[settings.engine].has_endpoint:
            raise SettingsError(
                f"{flag(name)} is for a server, and the engine is {settings.engine}; add --engine vllm or openai"
            )
    return settings


def _panel(name: str) -> str:
    if name.startswith(("trace", "telemetry")):
        return "Tracing"
    if name not in RunSettings.model_fields:
        return "Model and server"
    if name.startswith(("fast_", "path_", "stop")) and name != "stopping" and not name.endswith("_tokens"):
        return "Sampling"
    return "Gate and limits"


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
        "tree_scorer": "PATH|none",
        "base_url": "URL",
        "trace_store": "PATH",
    },
    common=COMMON,
    default_texts=DEFAULT_TEXTS,
)
"""Give a command an option for each setting. It receives them all as its argument `settings`."""
