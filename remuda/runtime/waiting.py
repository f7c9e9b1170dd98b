"""The waits of one hand: each has an end, and all end when the hand is told to stop."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from remuda.runtime.clock import Clock

T = TypeVar("T")

#: So late a hand notices at most that it has to stop.
SLICE_S: Final = 0.5


class HandStoppedError(Exception):
    """Nobody wants the result any more: clean up and return."""

    def __init__(self) -> None:
        super().__init__("the builder was stopped")


class OverdueError(Exception):
    """What was waited for did not come in time; the message says what it was."""


class Waiting:
    """Waits for one hand; :meth:`wake` may be called by any thread."""

    def __init__(
        self,
        clock: Clock,
        stopped: Callable[[], bool],
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Wait by *wait*, which may return early; None: by the operating system."""
        self.clock = clock
        self.stopped = stopped
        self._woken = threading.Event()
        self._wait = wait or self._wait_woken

    def wake(self) -> None:
        """End the present nap, or the next one; never blocks."""
        self._woken.set()

    def check(self) -> None:
        """Do nothing unless the hand has to stop.

        Raises:
            HandStoppedError: It has.
        """
        if self.stopped():
            raise HandStoppedError

    def nap(self, seconds: float) -> None:
        """Wait for a moment, or until woken.

        Raises:
            HandStoppedError: The hand has to stop.
        """
        self.check()
        self._wait(max(0.0, min(seconds, SLICE_S)))
        self.check()

    def pause(self, seconds: float) -> None:
        """Wait for all of it.

        Raises:
            HandStoppedError: The hand has to stop.
        """
        ends_s = self.clock.monotonic_s() + seconds
        while (left_s := ends_s - self.clock.monotonic_s()) > 0:
            self.nap(left_s)

    def until(
        self, look: Callable[[], T | None], *, ends_s: float, every_s: float, overdue: str
    ) -> T:
        """Return the first that *look* finds.

        Args:
            look: Returns what is waited for, or None.
            ends_s: By the monotonic clock.
            every_s: Between two looks.
            overdue: Said if it does not come.

        Raises:
            OverdueError: *look* found nothing in time.
            HandStoppedError: The hand has to stop.
        """
        while True:
            found = look()
            if found is not None:
                return found
            left_s = ends_s - self.clock.monotonic_s()
            if left_s <= 0:
                raise OverdueError(overdue)
            self.pause(min(every_s, left_s))

    def _wait_woken(self, seconds: float) -> None:
        self._woken.wait(seconds)
        self._woken.clear()
