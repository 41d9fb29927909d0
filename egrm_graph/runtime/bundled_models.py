"""Where the models that come with the package are."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def bundled(name: str) -> Path:
    """The folder of a bundled model."""
    return Path(str(files("egrm_graph") / "models" / name))
