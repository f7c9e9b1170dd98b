"""Clouds and copies for the tests of hands."""

from pathlib import Path

import pytest

from tests.unit.builder.hands import copies
from tests.unit.builder.hands.clouds import Setting
from tests.unit.builder.hands.copies import Make


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    """Records and clouds."""
    return Setting(tmp_path)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A maker of copies, each in clouds of its own."""
    return copies.copies(tmp_path)
