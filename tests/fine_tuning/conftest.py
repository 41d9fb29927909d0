"""Fixtures of the tests of fine-tuning."""

from pathlib import Path

import pytest

from tests.fine_tuning.small import save_judge
from tests.training.conftest import one_thread

__all__ = ["one_thread"]


@pytest.fixture(scope="session")
def small_judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_judge(tmp_path_factory.mktemp("models") / "small-judge")
