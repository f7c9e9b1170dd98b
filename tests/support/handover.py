"""Two threads of which one runs at a time: one drives, the other goes on when it is let.

Simulated hands block, and yet only the seed decides what happens: they run in threads of their own,
and the simulator waits while one does.
"""

import threading


class Handover:
    """Whose turn it is, the driver's at first.

    Bare locks, each released by the other side. Turns change millions of times, and a semaphore is
    a condition written in Python, which costs several switches of threads for each.
    """

    def __init__(self) -> None:
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()

    def let_go_on(self) -> None:
        """For the driver: let the other run until it hands back or ends."""
        self._go.release()
        self._back.acquire()

    def begin(self) -> None:
        """For the other: wait for its first turn."""
        self._go.acquire()

    def hand_back(self) -> None:
        """For the other: let the driver go on, and wait for the next turn."""
        self._back.release()
        self._go.acquire()

    def end(self) -> None:
        """For the other: let the driver go on for good."""
        self._back.release()
