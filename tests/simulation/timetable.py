"""Virtual time: what is to happen when; nothing here waits."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from remuda.runtime.clock import Clock
from tests.fakes.clock import ManualClock

#: Smaller steps could vanish in the rounding of floats.
STEP_S_MIN = 1e-6


@dataclass(slots=True)
class Timetable:
    """Calls to be made, by time."""

    clock: ManualClock = field(default_factory=ManualClock)
    _calls: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def now_s(self) -> float:
        """Return the virtual seconds since the beginning."""
        return self.clock.monotonic_s()

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        """Have *call* made in *delay_s* seconds."""
        due_s = self.now_s() + max(0.0, delay_s)
        heapq.heappush(self._calls, (due_s, next(self._numbers), call))

    def due(self) -> bool:
        """Whether a call is due."""
        return bool(self._calls) and self._calls[0][0] <= self.now_s()

    def make_one(self) -> None:
        """Make the call that is due first."""
        heapq.heappop(self._calls)[2]()

    def next_s(self) -> float | None:
        """Return when the next call is due, or None."""
        return self._calls[0][0] if self._calls else None

    def advance_to(self, due_s: float) -> None:
        """Let time pass."""
        self.clock.advance(max(STEP_S_MIN, due_s - self.now_s()))


@dataclass(frozen=True, slots=True)
class SkewedClock:
    """The clock of a host that is a little off."""

    true: Clock
    skew_s: float

    def now_s(self) -> float:
        """Return what this host takes for the time."""
        return self.true.now_s() + self.skew_s

    def monotonic_s(self) -> float:
        """Return monotonic seconds."""
        return self.true.monotonic_s()
