"""Wait for something in a test: at most so long, and saying what was waited for.

The only place in the tests that may look again and again; what can signal should rather be
waited for through its own Event or Condition.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar, overload

T = TypeVar("T")

#: Between two looks at least, if nobody says otherwise: short against what tests wait for.
LOOK_EVERY_S: Final = 0.02
#: Looks that take longer are made more seldom, so that half of the time at most goes into looking:
#: what is waited for often needs the same processors. But so much later at most.
LOOK_LATER_S_MAX: Final = 0.5


class DeadlineMissedError(AssertionError):
    """What a test waited for did not come."""


@overload
def wait_for(condition: threading.Event, deadline_s: float, what: str) -> bool: ...


@overload
def wait_for(
    condition: Callable[[], T], deadline_s: float, what: str, *, every_s: float = ...
) -> T: ...


def wait_for(
    condition: Callable[[], T] | threading.Event,
    deadline_s: float,
    what: str,
    *,
    every_s: float = LOOK_EVERY_S,
) -> T | bool:
    """Return the first true value of *condition*, or True when the event is set.

    Args:
        condition: Looked at again and again; or an Event, which is waited for.
        deadline_s: At most so long, in seconds of real time.
        what: For the message, as in "waited 5 s for <what>".
        every_s: So much time is between two looks, in seconds; more where a look itself takes more.

    Raises:
        DeadlineMissedError: If it does not come true in time.
    """
    if isinstance(condition, threading.Event):
        if not condition.wait(deadline_s):
            raise DeadlineMissedError(f"waited {deadline_s:g} s for {what}")
        return True
    pause = threading.Event()
    end_s = time.monotonic() + deadline_s
    while True:
        begun_s = time.monotonic()
        value = condition()
        if value:
            return value
        now_s = time.monotonic()
        if now_s >= end_s:
            raise DeadlineMissedError(f"waited {deadline_s:g} s for {what}; last seen: {value!r}")
        pause.wait(max(every_s, min(now_s - begun_s, LOOK_LATER_S_MAX)))
