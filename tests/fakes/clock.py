"""Time that moves only when a test says so."""

import threading


class ManualClock:
    """Both kinds of time (:class:`remuda.runtime.clock.Clock`), moved by hand; thread-safe.

    One number is read at once, so only moving it takes the lock: the simulation reads it as often
    as it does anything.
    """

    def __init__(self, now_s: float = 1_000_000.0) -> None:
        self._lock = threading.Lock()
        self._start_s = now_s
        self._passed_s = 0.0

    def now_s(self) -> float:
        """Return the wall clock."""
        return self._start_s + self._passed_s

    def monotonic_s(self) -> float:
        """Return the seconds that were let pass."""
        return self._passed_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._passed_s += seconds
