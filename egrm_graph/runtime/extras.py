"""The packages that an extra of this distribution installs, and the check that they are there.

`pip install egrm-graph` installs what the graph needs behind a server. Code that needs more calls `require_extra`
before any work starts: a missing package is reported when a graph is built or a command starts.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from egrm_graph.errors import MissingExtra

Extra = Literal["agents", "cli", "local", "otel", "scorer", "stats", "trace", "train"]

EXTRAS: dict[Extra, tuple[str, ...]] = {
    "agents": ("langchain",),
    "cli": ("rich", "typer"),
    "local": ("safetensors", "torch", "transformers"),
    "otel": ("opentelemetry",),
    "scorer": ("tokenizers",),
    "stats": ("numpy", "scipy"),
    "trace": ("sqlalchemy",),
    "train": ("accelerate", "datasets", "matplotlib", "peft", "torch", "transformers", "trl"),
}
"""The modules that each extra adds, by the name they are imported under. A test compares them with pyproject.toml."""


def require_extra(extra: Extra, user: str, *modules: str) -> None:
    """Check that the modules of an extra can be imported, or only `modules` of them. `user` says what needs them.

    Nothing is imported.

    Raises:
        MissingExtra: at least one of them is not installed.
    """
    missing = [module for module in modules or EXTRAS[extra] if find_spec(module) is None]
    if missing:
        verb, pronoun = ("is", "it") if len(missing) == 1 else ("are", "them")
        raise MissingExtra(
            f"{user} needs {_listed(missing)}, which {verb} not installed. "
            f"Install {pronoun}: pip install 'egrm-graph[{extra}]'",
            extra,
        )


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
