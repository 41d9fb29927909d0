"""Shared by all tests: marks by fixture, a small model, and rollouts that it can learn from."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.light_environment import light_environment

# Under CI, every run tries the same examples.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")

MARKS = {
    "base": "training",
    "browser": "browser",
    "light_python": "slow",
    "phoenix": "backend",
    "real_judge": "server",
    "real_scorer": "server",
    "real_server": "server",
}
"""The mark of the tests that use each fixture."""
SHARED = ("server", "backend", "browser")
"""Marks of tests that share an expensive resource. pytest-xdist runs them in one process."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures that they use. Where tests run in several processes, keep each file in one."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKS:
                item.add_marker(MARKS[fixture])
        group = next((mark for mark in SHARED if item.get_closest_marker(mark)), str(item.path))
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small base model."""
    from tests.training.tiny import save_base

    return save_base(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture
def rollouts(tmp_path: Path) -> Path:
    """Forty questions whose right paths end in 7 and whose wrong ones do not."""
    from tests.training.tiny import save_rollouts

    return save_rollouts(tmp_path / "rollouts.jsonl")


@pytest.fixture(scope="session")
def light_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with this package and no extra."""
    return light_environment(tmp_path_factory.mktemp("light") / "venv")
