"""Builders that are hit in everything that they do for an image whose file a command writes.

As :mod:`tests.unit.builder.crashes.test_crashes`: the command is played, and leaves its file.
"""

from pathlib import Path
from typing import Final

import pytest

from remuda.config.model import Config
from tests.fakes.glance import Transfer
from tests.unit.builder.crashes.installation import Installation
from tests.unit.builder.crashes.mortal import Blow, Life, When
from tests.unit.builder.crashes.test_crashes import survive

NUMBERS: Final = {"made": 1}


def configuration() -> Config:
    """Return an image by a command, for two clouds: brought to one, and carried to the other."""
    labels = {"small": {"image": {"built": "made"}, "flavor": "disk"}}
    return Config.model_validate(
        {
            "labels": {"small": {}},
            "providers": {
                name: {"cloud": name, "pools": {"main": {"labels": labels}}} for name in "pqr"
            },
            "images": {
                "made": {
                    "command": {"run": "make", "disk-format": "raw"},
                    "flavor": "disk",
                    "providers": {"p": {}, "q": {}, "r": {}},
                }
            },
        }
    )


def first(folder: Path, blow: Blow | None) -> tuple[Installation, Life]:
    """Begin with nothing at all, in clouds that cut the first transfer."""
    here = Installation(folder, config=configuration())
    here.land.one.next_transfers.append(Transfer.CUT)
    return here, here.start("b1", blow).life


# Hundreds of histories in one test: its limit only ends what hangs.
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("when", "every"),
    [(When.AFTER, 1), (When.LATE, 4), (When.FROZEN, 12), (When.SLOW, 12), (When.STUCK, 12)],
)
def test_a_file_survives_its_builder(tmp_path: Path, when: When, every: int) -> None:
    """It is sent once more, or kept where all of it had come; nothing of it is left elsewhere."""
    survive(tmp_path, first, NUMBERS, when, every)
