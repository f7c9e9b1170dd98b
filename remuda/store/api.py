"""The contract of the store: what the rest of Remuda knows of ZooKeeper.

Two implementations pass the same contract tests: ``remuda.store.zookeeper`` and the in-memory
fake of the tests.

Every write is a transaction of operations that succeed or fail together, and every write to a
record that exists names the version that was read. Nothing here blocks for ever.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Generic, Protocol, TypeVar

T = TypeVar("T")


class StoreError(Exception):
    """Root of what the store may raise."""


class StoreAwayError(StoreError):
    """No connection: nothing is known of the call's effect. Look again when it is back."""


class StoreRefusedError(StoreError):
    """ZooKeeper refuses us, or we do not trust it: password, ACL, TLS. A human must act."""


class NotPermittedError(StoreRefusedError):
    """The access control list of one znode does not let us in; the others may well."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path}: its access control list does not let us in")


class NoTreeError(StoreRefusedError):
    """There is no such chroot, and we are not to make it: who asks means another one."""


class RejectedError(StoreError):
    """A transaction was rejected as a whole; nothing of it happened.

    Attributes:
        path: The path whose operation failed.
    """

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path


class StaleWriteError(RejectedError):
    """The version named is no longer the current one: somebody else wrote."""


class ExistsError(RejectedError):
    """There is such a znode already."""


class MissingError(RejectedError):
    """There is no such znode (or no such parent)."""


class NotEmptyError(RejectedError):
    """The znode to delete has children; for a lock directory: somebody is in it."""


class TooLargeError(RejectedError):
    """A record or a transaction is larger than ZooKeeper takes (about 1 MiB); nothing was sent."""


#: What a transaction is answered with of which surely nothing happened: what was reserved for it
#: is free again. After any other error it may have been carried out.
NOTHING_WRITTEN: Final = (RejectedError, NotPermittedError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Create a znode; with *sequence* ZooKeeper appends ten digits to the path."""

    path: str
    data: bytes = b""
    ephemeral: bool = False
    sequence: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """Write data if the znode is at *version*; -1 means any, for counters only."""

    path: str
    data: bytes
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete a znode without children if it is at *version*; -1 means any."""

    path: str
    version: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Require that a znode exists and is at *version*; -1: only that it exists."""

    path: str
    version: int = -1


Op = Create | Set | Delete | Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Generic[T]):
    """A value as read, with what a later write must name.

    Attributes:
        version: The data version, for compare-and-set.
        created_s: ctime by ZooKeeper's clock, seconds since the epoch.
        modified_s: mtime by ZooKeeper's clock, seconds since the epoch.
        owner: Session id of an ephemeral znode, else 0.
    """

    path: str
    value: T
    version: int
    created_s: float = 0.0
    modified_s: float = 0.0
    owner: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a committed operation left: the real path, and the version after it (-1: gone).

    After a Check it is the version that was named.
    """

    path: str
    version: int


class Session(StrEnum):
    """The state of our session.

    SUSPENDED: start nothing new. LOST: every ephemeral znode of ours is gone; after it comes
    CONNECTED again with a new session, and the mirrors are read anew.
    """

    CONNECTED = "connected"
    SUSPENDED = "suspended"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A znode of a mirrored tree has this content now (data None: it is not wanted, see mirror).

    Attributes:
        own: A commit of ours wrote it; the answer to that commit follows at once.
        closed: Its access control list does not let us in: it is there, and no more is known of it.
    """

    path: str
    stored: Stored[bytes] | None
    own: bool = field(default=False, compare=False)
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dirty:
    """A znode is new or changed and is being read: its last known data, if any, is old.

    A Put or a Gone of the path follows, at the latest after the next reconnect.
    """

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """A znode of a mirrored tree is gone."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """The mirror of *root* is complete: what was not Put or Gone since Resync is not there.

    Sent after the first load and after every reload that follows a reconnect. During a reload
    Put is sent for what changed and Gone for what vanished meanwhile.
    """

    root: str


Change = Put | Dirty | Gone | Synced


class Mirror(Protocol):
    """A live copy of a subtree, told as changes; closing it stops them."""

    def close(self) -> None:
        """Stop watching. No change is sent after this returns."""


class Store(Protocol):
    """One ZooKeeper session.

    Thread-safe. Callbacks come on a thread of the store's, one at a time, and must not block
    nor call back into blocking methods of the store: put the news into an inbox.
    """

    @property
    def session(self) -> Session:
        """The present state of the session."""

    @property
    def session_id(self) -> int:
        """Id of the session, or 0 while there is none. Owner of our ephemeral znodes."""

    @property
    def refusal(self) -> StoreRefusedError | None:
        """Why ZooKeeper refuses us for good, in the middle of our life, or None.

        Then the session is LOST, none will follow, and every call fails with this error. Whoever
        works on should end: a new process reads the credential anew, and while this one kept
        trying, its session, and all that it leases, would stay.
        """

    def on_session(self, listener: Callable[[Session], None]) -> Callable[[], None]:
        """Call *listener* on every change of the session's state, until the result is called."""

    def read(self, path: str) -> Stored[bytes] | None:
        """Return a znode, or None if there is none.

        Raises:
            StoreAwayError: If the answer did not come in time.
        """

    def read_many(self, paths: Sequence[str]) -> tuple[Stored[bytes] | None, ...]:
        """Return several znodes, in order, with pipelined requests.

        One that others have made, and closed to us, counts as none.

        Raises:
            StoreAwayError: If an answer did not come in time.
        """

    def read_each(
        self, paths: Sequence[str]
    ) -> tuple[Stored[bytes] | NotPermittedError | None, ...]:
        """Like :meth:`read_many`, but for one that is closed to us the error stands in its place.

        For who looks, and must not be blinded by what a stranger has closed.

        Raises:
            StoreAwayError: If an answer did not come in time.
        """

    def read_fresh(self, paths: Sequence[str]) -> tuple[Stored[bytes] | None, ...]:
        """Like :meth:`read_many`, but as new as this call: our server catches up before it answers.

        Other reads, and the mirrors, show what the server knows that we are connected to. It may
        be behind for as long as it stands still, and nothing says so. Before something is done
        that cannot be undone because a record is *not* there, it must have been asked for by this.

        Raises:
            StoreAwayError: If an answer did not come in time: then nothing is known.
            NotPermittedError: If a znode is closed to us: it is there, and no more is known.
        """

    def children(self, path: str) -> tuple[str, ...]:
        """Return the names of the children, sorted; empty if there is no such znode.

        Raises:
            StoreAwayError: If the answer did not come in time.
        """

    def children_each(
        self, paths: Sequence[str]
    ) -> tuple[tuple[str, ...] | NotPermittedError, ...]:
        """Return the names of the children of several znodes, in order, with pipelined requests.

        For one that is closed to us, whoever has made it, the error stands in its place.

        Raises:
            StoreAwayError: If an answer did not come in time.
        """

    def children_later(
        self, path: str, done: Callable[[tuple[str, ...] | StoreError], None]
    ) -> None:
        """Like :meth:`children`, without waiting."""

    def commit(self, ops: Sequence[Op]) -> tuple[Done, ...]:
        """Do all of *ops* or none, and return what each left.

        Missing parents are not created: see :meth:`ensure`.

        Raises:
            RejectedError: If an operation failed; a subclass says how.
            StoreAwayError: If we cannot know whether it happened.
        """

    def commit_later(
        self, ops: Sequence[Op], done: Callable[[tuple[Done, ...] | StoreError], None]
    ) -> None:
        """Like :meth:`commit`, without waiting: *done* gets the result or the error.

        *done* is called exactly once, on the store's callback thread. If a committed Set or
        Create concerns a mirrored znode, the mirror tells the new content (Put) without reading
        it again, before *done* is called.
        """

    def ensure(self, *paths: str) -> None:
        """Create persistent, empty znodes with all their parents where they are missing."""

    def mirror(
        self,
        root: str,
        sink: Callable[[Change], None],
        *,
        wanted: Callable[[str], bool] = lambda _path: True,
        make: bool = True,
    ) -> Mirror:
        """Tell every znode below *root* (and root itself), and every change from now on.

        Built on one persistent recursive watch (ZooKeeper 3.6), so that a change costs one
        notification and, if *wanted*, one read. Survives reconnects and session loss.

        Args:
            root: Path of an existing or future znode.
            sink: Gets changes, in order, one at a time, on the store's callback thread.
            wanted: Whether the data of a path is to be read. The existence of the others is
                told all the same, as Put with stored None (once), and Gone; so is that of
                znodes which others have made, and closed to us.
            make: Whether to create the root, with its parents, if it is missing.
        """

    def reread(self) -> None:
        """Have the mirrors read again what they could not read while there was a connection.

        To be called now and then: nothing else tells that there are answers again.
        """

    def read_later(
        self, path: str, done: Callable[[Stored[bytes] | StoreError | None], None]
    ) -> None:
        """Like :meth:`read`, without waiting; for a mirrored path that was not wanted before.

        The result is also told to the mirrors of *path*, as Put, as if it had been wanted.
        """

    def watch_once(self, path: str, fired: Callable[[], None]) -> Stored[bytes] | None:
        """Read a znode, and call *fired* once at its next change, its end, or our connection's.

        If there is no such znode (None), nothing is watched.

        Raises:
            StoreAwayError: If the answer did not come in time; *fired* may be called all the same.
        """

    def watch_later(
        self,
        path: str,
        fired: Callable[[], None],
        done: Callable[[Stored[bytes] | StoreError | None], None],
    ) -> None:
        """Like :meth:`watch_once`, without waiting; may be called from *fired*."""

    def close(self) -> None:
        """End the session; its ephemeral znodes go at once."""
