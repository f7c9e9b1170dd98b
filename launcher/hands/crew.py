"""The crew: bounded pools of threads that run one action each and report to the inbox."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from launcher.actions import Action
from launcher.events import Event, Finished, HandCrashed
from launcher.lanes import LANES, THREADS, Lane
from remuda.redaction import redact_text
from remuda.runtime.inbox import Inbox


def _pools() -> dict[Lane, ThreadPoolExecutor]:
    return {lane: ThreadPoolExecutor(count, str(lane)) for lane, count in THREADS.items()}


@dataclass(slots=True)
class Crew:
    """Runs hands in threads, each in the lane of its action."""

    inbox: Inbox[Event]
    pools: dict[Lane, ThreadPoolExecutor] = field(default_factory=_pools)
    stopped: bool = False

    def submit(self, action: Action, work: Callable[[], Event]) -> None:
        """Have *work* done; the event that it returns comes as that of *action*."""
        self.pools[LANES[type(action)]].submit(self._run, action, work)

    def _run(self, action: Action, work: Callable[[], Event]) -> None:
        if self.stopped:
            return
        try:
            event = work()
        except Exception:  # noqa: BLE001 - the boundary: a bug in a hand must not end the daemon
            event = HandCrashed(action=action, why=redact_text(traceback.format_exc(limit=20)))
        self.inbox.event(Finished(action=action, event=event))

    def stop(self) -> None:
        """Start nothing more and forget what has not begun; do not wait for what has."""
        self.stopped = True
        for pool in self.pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
