"""A small model and rollouts that it can learn from, for the tests that train."""

from pathlib import Path

import pytest

from tests.training.tiny import save_base, save_rollouts


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture
def rollouts(tmp_path: Path) -> Path:
    """Forty questions whose right paths end in 7 and whose wrong ones do not."""
    return save_rollouts(tmp_path / "rollouts.jsonl")
