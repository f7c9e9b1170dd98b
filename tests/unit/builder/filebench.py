"""Images that a command writes, for tests: a recipe, files, and commands without processes."""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from builder.build.commanding import CommandOrder
from remuda.config.imagecommand import ImageCommandFrom
from remuda.config.parts import FlavorFrom
from remuda.config.recipes import ImageRecipe, ProviderMaking
from remuda.runtime.waiting import Waiting
from tests.unit.builder.handbench import PROVIDER

DISK: Final = b"disk" * 256


def qcow2(*, size: int = 1 << 30, backing: int = 0, features: int = 0, version: int = 3) -> bytes:
    """Return the head of a qcow2 file."""
    head = struct.pack(">4sIQIIQ", b"QFI\xfb", version, backing, backing, 16, size)
    return head.ljust(72, b"\0") + struct.pack(">Q", features) + b"\0" * 432


QCOW2: Final = qcow2()


def file_recipe(*providers: str, command: dict[str, Any] | None = None, **how: Any) -> ImageRecipe:
    """Return a recipe by a command."""
    making = ProviderMaking(base=None, flavor=FlavorFrom(name="disk"), username="debian")
    wanted = {"run": "make-image", "disk-format": "raw", "max-size": "1GiB", **(command or {})}
    return ImageRecipe(
        name="debian",
        makings=dict.fromkeys(providers or (PROVIDER,), making),
        command=ImageCommandFrom.model_validate(wanted),
        **how,
    )


class FakeCommands:
    """Commands that are no processes: each writes what it is told, or raises.

    Attributes:
        data: What the next one writes.
        orders: All that were run.
        before: Called when one has ended, before its file is looked at.
    """

    def __init__(self, folder: Path, data: bytes = DISK) -> None:
        self.folder = folder
        self.data = data
        self.orders: list[CommandOrder] = []
        self.before: Callable[[Path], None] = lambda _: None
        self.error: Exception | None = None

    def close(self) -> None:
        """Have none at work: they end with their threads."""

    @contextmanager
    def run(
        self, order: CommandOrder, waiting: Waiting, hear: Callable[[bytes], object]
    ) -> Iterator[Path]:
        """Write the file; it takes a moment."""
        self.orders.append(order)
        hear(b"making it\n")
        waiting.pause(1.0)
        if self.error is not None:
            raise self.error
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"disk-{len(self.orders)}"
        path.write_bytes(self.data)
        self.before(path)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)
