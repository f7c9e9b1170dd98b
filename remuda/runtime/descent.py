"""Child processes that do not outlive us, however we end."""

import ctypes
import signal
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def ends_with_parent(number: signal.Signals) -> Callable[[], None]:
    """Return what a child does before exec: ask for a signal when its parent thread ends.

    prctl(2): the signal comes when the *thread* that forked ends, so start the child from a
    thread that lives as long as the program.
    """
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the fork: no import in the child

    def arrange() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)

    return arrange
