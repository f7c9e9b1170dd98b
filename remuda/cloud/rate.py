"""How fast we may call a cloud: one limit shared by all threads of a provider, and who goes first.

Listings are what everything else is judged by, so they must not queue behind two hundred
deletions. But whoever goes first for ever starves the others, so nobody has more than a share:
calls wait by class of traffic, and the classes share the rate by weight, as start-time fair
queueing does it (Goyal, Vin and Cheng, 1996). A class that was idle goes next when it comes.
"""

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import chain
from typing import Final, Generic, TypeVar

from remuda.cloud.api import TryLaterError
from remuda.runtime.clock import Clock

#: After a pause, so many seconds' worth of calls may go at once.
BURST_S: Final = 1.0

T = TypeVar("T")


class Traffic(StrEnum):
    """Classes of calls; of two with the same claim to the next turn the first named has it."""

    LIST = "list"  # servers and their ports: what everything is judged by
    CREATE = "create"
    DELETE = "delete"
    OTHER = "other"  # images, quota, consoles, leftovers: nobody waits closely


#: Shares of the rate while all classes have calls waiting.
WEIGHTS: Final[Mapping[Traffic, float]] = {
    Traffic.LIST: 8.0,
    Traffic.CREATE: 4.0,
    Traffic.DELETE: 4.0,
    Traffic.OTHER: 1.0,
}


class FairQueue(Generic[T]):
    """Who is next: first come, first served within a class, and by weight between them.

    Each turn of a class has a start on a virtual clock that the last turn given has set: not
    before now, and not before the class has paid for its last turn. The earliest start is next.
    """

    def __init__(self) -> None:
        self._waiting: dict[Traffic, deque[T]] = {each: deque() for each in Traffic}
        self._start = dict.fromkeys(Traffic, 0.0)
        self._paid = dict.fromkeys(Traffic, 0.0)
        self._now = 0.0

    def __iter__(self) -> Iterator[T]:
        """Yield all that wait."""
        return chain.from_iterable(self._waiting.values())

    def ahead(self, traffic: Traffic) -> int:
        """Return how many of a class wait: a newcomer surely goes after them."""
        return len(self._waiting[traffic])

    def join(self, traffic: Traffic, one: T) -> None:
        """Let *one* wait."""
        if not self._waiting[traffic]:
            self._start[traffic] = max(self._now, self._paid[traffic])
        self._waiting[traffic].append(one)

    def leave(self, traffic: Traffic, one: T) -> None:
        """Let *one* wait no more."""
        self._waiting[traffic].remove(one)

    def first(self) -> T | None:
        """Return who is next, or None."""
        traffic = self._next_class()
        return None if traffic is None else self._waiting[traffic][0]

    def serve(self) -> T:
        """Return who is next, and let it go.

        Raises:
            LookupError: If nobody waits.
        """
        traffic = self._next_class()
        if traffic is None:
            raise LookupError("nobody waits")
        self._now = self._start[traffic]
        self._paid[traffic] = self._start[traffic] = self._now + 1.0 / WEIGHTS[traffic]
        return self._waiting[traffic].popleft()

    def _next_class(self) -> Traffic | None:
        there = (each for each in Traffic if self._waiting[each])
        return min(there, key=lambda each: self._start[each], default=None)


class RateLimit:
    """Lets calls through at a steady rate (the generic cell rate algorithm), in fair order.

    Whoever waits has an absolute end to that, also if the process stood still meanwhile, and a
    wait that would surely be too long is refused before it starts.
    """

    def __init__(self, *, per_s: float, clock: Clock) -> None:
        self._clock = clock
        self._interval_s = 1.0 / per_s
        self._ahead_s = max(0.0, BURST_S - self._interval_s)
        self._due_s = clock.monotonic_s()
        self._closed = False
        self._lock = threading.Lock()
        self._queue: FairQueue[threading.Condition] = FairQueue()

    def take(self, traffic: Traffic = Traffic.OTHER, *, wait_s_max: float) -> None:
        """Return when the call may go.

        Raises:
            TryLaterError: If that would be later than *wait_s_max* seconds from now, or the
                limit is closed meanwhile.
        """
        with self._lock:
            now_s = self._clock.monotonic_s()
            until_s = now_s + wait_s_max
            start_s = self._start_s(now_s) + self._queue.ahead(traffic) * self._interval_s
            if start_s > until_s:
                raise self._refusal(start_s - now_s, wait_s_max)
            me = threading.Condition(self._lock)
            self._queue.join(traffic, me)
            try:
                now_s = self._wait(me, now_s, until_s)
                if now_s > until_s:
                    raise self._refusal(self._interval_s, wait_s_max)
            except TryLaterError:
                self._queue.leave(traffic, me)
                raise
            else:
                self._queue.serve()
                self._due_s = max(self._due_s, now_s) + self._interval_s
            finally:
                self._wake_first()

    def close(self) -> None:
        """Refuse every call from now on, also those that wait."""
        with self._lock:
            self._closed = True
            for each in self._queue:
                each.notify()

    def _start_s(self, now_s: float) -> float:
        return max(now_s, self._due_s - self._ahead_s)

    def _wait(self, me: threading.Condition, now_s: float, until_s: float) -> float:
        """Wait until it is our turn, and return the time."""
        while not self._closed:
            start_s = self._start_s(now_s) if self._queue.first() is me else float("inf")
            if now_s >= start_s:
                return now_s
            if now_s >= until_s:
                return float("inf")
            me.wait(min(start_s, until_s) - now_s)
            now_s = self._clock.monotonic_s()
        raise TryLaterError("the cloud connection is closed")

    def _wake_first(self) -> None:
        first = self._queue.first()
        if first is not None:
            first.notify()

    @staticmethod
    def _refusal(behind_s: float, wait_s_max: float) -> TryLaterError:
        return TryLaterError(
            f"our own rate limit: {behind_s:.1f} s behind,"
            f" and this call waits {wait_s_max:.1f} s at most",
            retry_after_s=behind_s,
        )
