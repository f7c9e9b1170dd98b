"""The fence in front of calls that cannot be taken back: asked last thing before they go out.

Between a decision and its call lie waits: for a thread, a token, the rate limit; and the process,
or its whole host, may stand still in any of them. Whoever was to be served by the call may have
drawn conclusions by then.
"""

from collections.abc import Callable
from dataclasses import dataclass

from remuda.runtime.clock import Clock
from remuda.store.api import Session, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A moment on both clocks: a monotonic one may stand still while the host is suspended."""

    wall_s: float
    mono_s: float

    def passed(self, clock: Clock) -> bool:
        """Whether it is later than that by either clock."""
        return clock.now_s() > self.wall_s or clock.monotonic_s() > self.mono_s


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeFence:
    """Lets calls through until a moment.

    Attributes:
        until: Nothing passes after that; None: no such end.
        besides: Says what else speaks against it by now, or None; asked in the thread of the call.
    """

    clock: Clock
    until: Deadline | None = None
    besides: Callable[[], str | None] | None = None

    def __call__(self) -> str | None:
        """Return why a call must not be sent any more, or None (``remuda.cloud.api.Fence``)."""
        if self.until is not None and self.until.passed(self.clock):
            return "it is too late"
        return self.session_over() or (None if self.besides is None else self.besides())

    def session_over(self) -> str | None:
        """Return that the session is over in which the call was decided; here there is none."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFence(TimeFence):
    """Lets calls through as long as our session is the one in which they were decided, too."""

    store: Store
    session_id: int

    def session_over(self) -> str | None:
        """Return why the session is not the one that it was, or None."""
        if self.store.session is not Session.CONNECTED:
            return "there is no connection to ZooKeeper"
        if self.store.session_id != self.session_id:
            return "the session with ZooKeeper in which it was decided is over"
        return None
