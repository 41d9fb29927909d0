import warnings
from collections.abc import Iterator

import pytest

from tests.tracing.warned import Warned


@pytest.fixture
def seen() -> Iterator[Warned]:
    """The warnings of the test, from any thread."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        yield found
