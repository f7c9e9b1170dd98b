"""Time as an argument: nobody else asks the operating system what time it is."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two kinds of time, never mixed."""

    def now_s(self) -> float:
        """Return the wall clock, seconds since the epoch: for records that others read."""

    def monotonic_s(self) -> float:
        """Return seconds that never go back: for durations within this process."""


class SystemClock:
    """The operating system's clocks."""

    def now_s(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def monotonic_s(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()
