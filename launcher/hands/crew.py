"""The crew: bounded pools of threads that run one action each and report to the inbox."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from launcher.actions import Action, Address, Create, Knock
from launcher.events import Event, HandCrashed
from remuda.redaction import redact_text
from remuda.runtime.inbox import Inbox

#: Threads for cloud calls: the provider's rate limit, not this, bounds the load on the cloud.
CLOUD_THREADS = 4
#: Threads for calls that make something, apart: slow ones must not hold up listings and deletions.
CREATE_THREADS = 12
#: Threads for SSH; one proof occupies one for its whole length.
SSH_THREADS = 24
#: Threads for knocks, apart: somebody may wait for one, and proofs take minutes.
KNOCK_THREADS = 8
THREADS = CLOUD_THREADS + CREATE_THREADS + SSH_THREADS + KNOCK_THREADS


@dataclass(slots=True)
class Crew:
    """Runs hands in threads."""

    inbox: Inbox[Event]
    cloud: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(CLOUD_THREADS, "cloud")
    )
    create: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(CREATE_THREADS, "create")
    )
    ssh: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(SSH_THREADS, "ssh"))
    knock: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(KNOCK_THREADS, "knock")
    )
    stopped: bool = False

    def on_cloud(self, action: Action, work: Callable[[], Event]) -> None:
        """Run *work* on a cloud thread."""
        pool = self.create if isinstance(action, Create | Address) else self.cloud
        pool.submit(self._run, action, work)

    def on_ssh(self, action: Action, work: Callable[[], Event]) -> None:
        """Run *work* on an SSH thread."""
        pool = self.knock if isinstance(action, Knock) else self.ssh
        pool.submit(self._run, action, work)

    def _run(self, action: Action, work: Callable[[], Event]) -> None:
        if self.stopped:
            return
        try:
            event = work()
        except Exception:  # noqa: BLE001 - the boundary: a bug in a hand must not end the daemon
            event = HandCrashed(action=action, why=redact_text(traceback.format_exc(limit=20)))
        self.inbox.event(event)

    def stop(self) -> None:
        """Start nothing more and forget what has not begun; do not wait for what has."""
        self.stopped = True
        for pool in (self.cloud, self.create, self.ssh, self.knock):
            pool.shutdown(wait=False, cancel_futures=True)
