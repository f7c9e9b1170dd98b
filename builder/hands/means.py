"""What hands are made of, and what those share that write records and logs."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from builder.hands.held_record import TakenOverError
from builder.place.clouds import Clouds
from remuda.cloud.image_store import ImageStore
from remuda.config.model import Config
from remuda.model.ids import ReplicaId
from remuda.runtime.clock import Clock
from remuda.runtime.log import Log
from remuda.runtime.waiting import HandStoppedError
from remuda.store.api import Store, StoreError

#: Complete logs on this host; each has 64 MiB at most, and mostly far less.
LOG_FILES_MAX: Final = 100
#: Folder of ours in a builder's own.
LOGS: Final = "logs"
#: It is somebody else's, or nothing is known: whoever comes next looks at the record.
NOT_WRITTEN: Final = (TakenOverError, StoreError, HandStoppedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandMeans:
    """What hands work with.

    Attributes:
        config: Returns the configuration of now: providers' keys and timeouts.
        work_dir: Where files may be made, for us alone.
    """

    store: Store
    clouds: Clouds
    clock: Clock
    log: Log
    installation: str
    config: Callable[[], Config]
    work_dir: Path

    def images(self) -> Mapping[str, ImageStore]:
        """Return the images of all providers."""
        return {name: one.images for name, one in self.clouds.known().items()}


def writer_of(owner: ReplicaId | None) -> str:
    """Return a name that no other attempt writes its log by."""
    return f"{owner}-{uuid.uuid4().hex[:8]}"
