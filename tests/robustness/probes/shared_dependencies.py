"""Check whether this package and its dependencies accept a version that others pin."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]


def outcome(given: dict[str, str]) -> bool:
    limits = [requirement for requirement in needed() if requirement.name == given["package"]]
    assert limits, f"nothing here needs {given['package']}"
    return all(requirement.specifier.contains(given["version"]) for requirement in limits)


def needed() -> Iterator[Requirement]:
    """Return the requirements of this package and of its direct dependencies."""
    extras = [each for name, listed in PROJECT["optional-dependencies"].items() if name != "dev" for each in listed]
    for own in (Requirement(text) for text in (*PROJECT["dependencies"], *extras)):
        yield own
        for text in _requires(own.name):
            inner = Requirement(text)
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in (*own.extras, "")):
                yield inner


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:  # vLLM has its own environment
        return []
