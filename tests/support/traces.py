"""What a piece of code leaves behind in its process: threads and open descriptors."""

import os
import threading
from dataclasses import dataclass, field


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a listing only


@dataclass(frozen=True, kw_only=True)
class Traces:
    """What there was at one moment, to be compared with what there is later.

    Only what is *more* counts: threads of an earlier test may end meanwhile, and that is no
    business of the code that is judged.
    """

    threads: frozenset[threading.Thread] = field(
        default_factory=lambda: frozenset(threading.enumerate())
    )
    descriptors: int = field(default_factory=_descriptors)

    def threads_left(self) -> list[str]:
        """Name the threads that live now and did not then."""
        return [
            f"thread {thread.name} ({type(thread).__name__})"
            for thread in threading.enumerate()
            if thread not in self.threads
        ]

    def left(self) -> list[str]:
        """Say what is here now and was not then; empty is what one wants.

        Descriptors of a server in this same process count, too: it must have closed its own.
        """
        more = _descriptors() - self.descriptors
        return [*self.threads_left(), *([f"{more} descriptors"] if more > 0 else [])]
