"""How fast we may call a cloud: one limit shared by all threads of a provider."""

import threading
from typing import Final

from remuda.cloud.api import TryLaterError
from remuda.runtime.clock import Clock

#: After a pause, so many seconds' worth of calls may go at once.
BURST_S: Final = 1.0


class RateLimit:
    """Lets calls through at a steady rate, in the order they came.

    A call reserves its moment when it arrives (the generic cell rate algorithm), so that waiting
    threads neither poll nor overtake each other, and a wait that would be too long is refused
    before it starts.
    """

    def __init__(self, *, per_s: float, clock: Clock) -> None:
        self._clock = clock
        self._interval_s = 1.0 / per_s
        self._ahead_s = max(0.0, BURST_S - self._interval_s)
        self._due_s = clock.monotonic_s()
        self._closed = False
        self._cond = threading.Condition()

    def take(self, *, wait_s_max: float) -> None:
        """Return when the call may go.

        Raises:
            TryLaterError: If that would be later than *wait_s_max* seconds from now, or the
                limit is closed meanwhile.
        """
        with self._cond:
            now_s = self._clock.monotonic_s()
            start_s = max(now_s, self._due_s - self._ahead_s)
            if start_s - now_s > wait_s_max:
                raise TryLaterError(
                    f"our own rate limit: {start_s - now_s:.1f} s behind,"
                    f" and this call waits {wait_s_max:.1f} s at most",
                    retry_after_s=start_s - now_s,
                )
            self._due_s = max(self._due_s, now_s) + self._interval_s
            while not self._closed and (left_s := start_s - self._clock.monotonic_s()) > 0:
                self._cond.wait(left_s)
            if self._closed:
                raise TryLaterError("the cloud connection is closed")

    def close(self) -> None:
        """Refuse every call from now on, also those that wait."""
        with self._cond:
            self._closed = True
            self._cond.notify_all()
