"""A desk to call commands at."""

import pytest

from tests.support.commands import Desk


@pytest.fixture
def desk() -> Desk:
    """An empty ZooKeeper with a launcher's stand-in."""
    return Desk()
