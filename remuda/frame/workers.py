"""The worker threads: bounded pools of threads that run one action each and report to the inbox."""

import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from remuda.frame.work import Finished, HandCrashed, WorkKind
from remuda.redaction import redact_text
from remuda.runtime.inbox import Inbox

A = TypeVar("A")
E = TypeVar("E")
L = TypeVar("L", bound=StrEnum)

TRACE_LINES_MAX: Final = 20


def crashed(action: A) -> HandCrashed[A]:
    """Return what the exception that is being handled did to *action*."""
    return HandCrashed(action=action, why=redact_text(traceback.format_exc(limit=TRACE_LINES_MAX)))


@dataclass(slots=True)
class Workers(Generic[A, E, L]):
    """Runs hands in threads, each in the lane of its action.

    Attributes:
        inbox: Hears of every end: ``Finished`` with the event of the hand, or with
            ``HandCrashed``.
        kinds: Says which lane an action has.
        threads: How many each lane has at most; they are made when there is something to do.
    """

    inbox: Inbox[Any]
    kinds: Mapping[type, WorkKind[L]]
    threads: Mapping[L, int]
    stopped: bool = False
    _pools: dict[L, ThreadPoolExecutor] = field(init=False)

    def __post_init__(self) -> None:
        """Make the pools."""
        self._pools = {
            lane: ThreadPoolExecutor(count, str(lane)) for lane, count in self.threads.items()
        }

    def submit(self, action: A, work: Callable[[], E]) -> None:
        """Have *work* done; the event that it returns comes as that of *action*."""
        lane = self.kinds[type(action)].lane
        if lane is None:
            raise ValueError(f"{type(action).__name__} is no work for a thread")
        self._pools[lane].submit(self._run, action, work)

    def _run(self, action: A, work: Callable[[], E]) -> None:
        if self.stopped:
            return
        event: E | HandCrashed[A]
        try:
            event = work()
        except Exception:  # noqa: BLE001 - the boundary: a bug in a hand must not end the daemon
            event = crashed(action)
        self.inbox.event(Finished(action=action, event=event))

    def stop(self) -> None:
        """Start nothing more and forget what has not begun; do not wait for what has."""
        self.stopped = True
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
