"""The ground that a process stands on: what there is one of in each, given once."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from remuda.metrics.sink import Metrics
from remuda.runtime.clock import Clock
from remuda.runtime.inbox import Inbox
from remuda.runtime.log import Log
from remuda.runtime.now import Now
from remuda.store.api import Store

E = TypeVar("E")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground(Generic[E]):
    """What lies outside of a process; tests give their own."""

    store: Store
    inbox: Inbox[E]
    clock: Clock
    log: Log
    metrics: Metrics

    def now(self) -> Now:
        """Return the present."""
        return Now(wall_s=self.clock.now_s(), mono_s=self.clock.monotonic_s())
