"""A small model and rollouts that it can learn from, for the tests that train."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.training.tiny import save_base, save_rollouts

# The same examples on every run there: what a change breaks is the change's doing.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI") == "true":
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture
def rollouts(tmp_path: Path) -> Path:
    """Forty questions whose right paths end in 7 and whose wrong ones do not."""
    return save_rollouts(tmp_path / "rollouts.jsonl")
