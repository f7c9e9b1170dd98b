"""What most tests of hands begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.builder.handbench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Everything in memory."""
    one = Bench(tmp_path)
    yield one
    one.close()
