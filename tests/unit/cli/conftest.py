"""A harness to run commands in."""

import pytest

from tests.support.commands import CommandHarness


@pytest.fixture
def harness() -> CommandHarness:
    """An empty ZooKeeper with a launcher's stand-in."""
    return CommandHarness()
