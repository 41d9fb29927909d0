"""The settings that the draws in a folder were made with. A run that is resumed has to have the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from egrm_graph.errors import SettingsError
from egrm_graph.settings import RunSettings, Settings

DRAWN_WITH = (*RunSettings.model_fields, "model", "task", "prompts", "endpoint", "scorer", "tree_scorer")
"""The settings that draws depend on."""


def settle_settings(file: Path, settings: Settings, options: Mapping[str, Any], *, resume: bool) -> None:
    """Write down the settings and options of the draws, or check that they are those of the draws to resume.

    Raises:
        SettingsError: they are not.
    """
    now: dict[str, Any] = {**settings.model_dump(mode="json", include=set(DRAWN_WITH)), **options}
    if resume and file.exists():
        before = json.loads(file.read_bytes())
        pairs = {name: (before.get(name), value) for name, value in now.items()}
        changed = [f"{name} was {then!r} and is {value!r}" for name, (then, value) in pairs.items() if then != value]
        if changed:
            raise SettingsError(
                f"the draws in {file.parent} were made with other settings: {'; '.join(changed)}; use the same, name "
                "another --output, or start over with --overwrite"
            )
    file.write_text(json.dumps(now, indent=2) + "\n", "utf-8")
