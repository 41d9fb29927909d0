"""Where the models that come with the package are."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def bundled(name: str) -> Path:
    """The folder of a bundled model."""
    return Path(str(files("egrm_graph") / "models" / name))


def base_folder(name: str) -> str:
    """The folder of the bundled model with this name. Any other name, and a folder that exists, stays unchanged."""
    folder = bundled(name)
    return str(folder) if Path(name).name == name and not Path(name).exists() and folder.is_dir() else name
