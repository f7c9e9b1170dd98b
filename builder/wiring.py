"""Wiring: the hands that a builder works with, and what they need."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from builder.clouds import Clouds
from builder.hands_api import Hands
from remuda.config.model import Config
from remuda.frame.process import CannotRunError
from remuda.runtime.clock import Clock
from remuda.runtime.log import Log
from remuda.store.api import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What hands work with.

    Attributes:
        config: Returns the configuration of now: providers' keys and timeouts.
        stopped: Whether the process is about to end.
        work_dir: Where files may be made, for us alone.
    """

    store: Store
    clouds: Clouds
    clock: Clock
    log: Log
    installation: str
    config: Callable[[], Config]
    stopped: Callable[[], bool]
    work_dir: Path


#: Makes the hands of a builder.
Wire = Callable[[Means], Hands]


def wire(means: Means) -> Hands:
    """Return the real hands.

    Raises:
        CannotRunError: As long as this version has none.
    """
    del means
    raise CannotRunError("this version of Remuda cannot make images yet")
