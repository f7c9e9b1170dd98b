"""Files of snapshots: of some size, and with marks that travel with their bytes."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

#: No image is smaller: transfers of real ones take more than one piece.
LEAST_BYTES: Final = 4 << 20
#: At the end of the data of an image from which nothing boots, wherever it is copied to.
UNBOOTABLE: Final = b"sandbox: nothing boots from this image\n"


def pad(path: Path) -> None:
    """Make a tar as large as an image at least: what comes after its end is nothing to it."""
    with path.open("r+b") as file:
        file.truncate(max(path.stat().st_size, LEAST_BYTES))


def write_noise(path: Path, seed: str) -> None:
    """Write what the disk of a machine that is not there may hold."""
    path.write_bytes(random.Random(seed).randbytes(LEAST_BYTES))  # noqa: S311 - any bytes


def spoil(path: Path) -> None:
    """Let nothing boot from an image's data."""
    with path.open("ab") as file:
        file.write(UNBOOTABLE)


def is_spoiled(path: Path) -> bool:
    """Say whether nothing boots from an image's data."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - len(UNBOOTABLE), 0))
        return file.read() == UNBOOTABLE
