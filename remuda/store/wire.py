"""What the store needs of a connection to ZooKeeper: asynchronous requests, in order.

Between the store (transactions, mirrors, locks) and this door lies no policy, so that the tests'
in-memory tree only has to imitate *this*, and runs the very same store above it.

Order is the contract, and it is ZooKeeper's (its Programmer's Guide, "Ordering guarantees" and
"ZooKeeper guarantees about watches"): the replies of one session come in the order of its
requests; a notification comes before the reply of any later request that can see the change;
the notification of our own write comes before that write's reply, with nothing between them.
Callbacks come one at a time, in that order.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import NamedTuple, Protocol, TypeVar

from remuda.store.api import Op, Session, StoreError, StoreRefusedError

A = TypeVar("A")


class Stat(NamedTuple):
    """What ZooKeeper knows of a znode besides its data; a tuple as thousands are made per second.

    Attributes:
        mzxid: Id of the transaction that last wrote the data; never the same for two writes.
        ctime_ms: Creation by the server's clock, milliseconds since the epoch.
        mtime_ms: Last write by the server's clock, milliseconds since the epoch.
        owner: Session of an ephemeral znode, else 0.
        children: How many children there are.
    """

    mzxid: int
    version: int
    ctime_ms: int
    mtime_ms: int
    owner: int
    children: int


class ReadZnode(NamedTuple):
    """A znode as read."""

    data: bytes
    stat: Stat


class Children(NamedTuple):
    """The names below a znode, unsorted, and the znode itself."""

    names: tuple[str, ...]
    stat: Stat


class OpDone(NamedTuple):
    """What one operation of a transaction left; *stat* is None after Delete and Check."""

    path: str
    stat: Stat | None


class WatchEvent(IntEnum):
    """What happened to a znode; the numbers are ZooKeeper's (Watcher.Event.EventType)."""

    CREATED = 1
    DELETED = 2
    CHANGED = 3


class Listener(Protocol):
    """Who hears what was not asked for."""

    def happened(self, event: int, path: str) -> None:
        """Take the news of a change below a watched path."""

    def session_changed(self, session: Session) -> None:
        """Take the new state of the session."""


class StoreWire(Protocol):
    """One session's connection. Requests may be made on any thread and never wait.

    Every *done* is called exactly once, with a StoreAwayError if the connection is away or goes
    away before the reply, or with the refusal if there is one.
    """

    @property
    def session(self) -> Session:
        """The present state of the session."""

    @property
    def session_id(self) -> int:
        """Id of the session, 0 while there is none."""

    @property
    def refusal(self) -> StoreRefusedError | None:
        """Why there will never be a session again, or None. Known before the session is LOST."""

    def listen(self, listener: Listener) -> None:
        """Tell *listener* from now on; call once, before connecting."""

    def get(self, path: str, done: Callable[[ReadZnode | StoreError | None], None]) -> None:
        """Read a znode; None if there is none."""

    def children(self, path: str, done: Callable[[Children | StoreError | None], None]) -> None:
        """List a znode's children; None if there is no such znode."""

    def sync(self, path: str, done: Callable[[StoreError | None], None]) -> None:
        """Have our server catch up with all that was committed before this call.

        Replies to later requests, and all notifications of earlier changes, come after *done*
        or before it, but none shows less than it.
        """

    def commit(
        self, ops: Sequence[Op], done: Callable[[tuple[OpDone, ...] | StoreError], None]
    ) -> None:
        """Do all of *ops* or none; one OpDone per operation."""

    def watch_tree(self, root: str, done: Callable[[StoreError | None], None]) -> None:
        """Hear of every change at and below *root*, until the connection goes."""

    def unwatch_tree(self, root: str) -> None:
        """Hear no more of *root*; without effect while the connection is away."""

    def watch_once(
        self,
        path: str,
        fired: Callable[[], None],
        done: Callable[[ReadZnode | StoreError | None], None],
    ) -> None:
        """Read a znode and call *fired* at its next change, or when the connection goes.

        If *done* gets None or an error, nothing is watched.
        """

    def ask(self, start: Callable[[Callable[[A], None]], None]) -> A:
        """Start a request and wait for its answer; an answer may be a StoreError, too.

        Raises:
            StoreAwayError: If no answer came in time.
        """

    def between(self, action: Callable[[], None]) -> None:
        """Run *action* now, on this thread, while no callback runs."""

    def close(self) -> None:
        """End the session; no callback is made after this returns."""
