"""What every request of one client shares: the store, the time, who we are, and how to be sure.

What a *command* takes from outside, before anything is open, is remuda.cli.context.
"""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from remuda.runtime.clock import Clock
from remuda.runtime.whoami import user_at_host
from remuda.store.api import Done, Op, Store, StoreAwayError
from requestor.holdings import Holdings
from requestor.sessions import Sessions

T = TypeVar("T")

#: How often an operation whose reply was lost is tried again; each time after a reconnect.
SURE_ATTEMPTS_MAX: Final = 5
#: When ZooKeeper does not answer although we are connected, look again after this long.
RETRY_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestorContext:
    """The shared part of a client.

    Attributes:
        identity: Written into lock contenders, for people: ``host:pid``.
        away_s: How long to wait for ZooKeeper to come back before giving up.
        lock_s: How long to wait for a node's lock that somebody else still has.
        use_data: Goes into the ``user_data`` of nodes in use, for whoever looks at them.
        holdings: What is to be given up when the client closes.
        new_token: Returns a fresh unique text of 32 hexadecimal digits.
    """

    store: Store
    sessions: Sessions
    clock: Clock
    requestor: str
    new_token: Callable[[], str]
    use_data: Mapping[str, Any] = field(default_factory=dict)
    holdings: Holdings = field(default_factory=Holdings)
    identity: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}")
    away_s: float = 30.0
    lock_s: float = 30.0

    def surely(self, attempt: Callable[[], T]) -> T:
        """Return what *attempt* returns; when it got no answer, wait for ZooKeeper and call again.

        Raises:
            StoreAwayError: If ZooKeeper stays away for longer than *away_s*, or goes again and
                again.
            Exception: Anything else that *attempt* raises.
        """
        for _ in range(SURE_ATTEMPTS_MAX - 1):
            try:
                return attempt()
            except StoreAwayError:
                if not self.sessions.wait_connected(self.away_s):
                    raise
        return attempt()

    def commit_surely(self, ops: Sequence[Op]) -> tuple[Done, ...]:
        """Commit; when the reply was lost, wait for ZooKeeper and commit again.

        Only for what may be tried twice: after a lost reply the second attempt is rejected if
        the first one happened, and the caller must take that as done.

        Raises:
            RejectedError: See above.
            StoreAwayError: As of :meth:`surely`.
        """
        return self.surely(lambda: self.store.commit(ops))


def default_requestor() -> str:
    """Return ``user@host``, for who does not say who they are."""
    return user_at_host()
